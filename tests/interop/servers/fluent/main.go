// Three records to port $PORT by the logger of Go, acknowledged.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/fluent/fluent-logger-golang/fluent"
)

func main() {
	port, _ := strconv.Atoi(os.Getenv("PORT"))
	l, err := fluent.New(fluent.Config{
		FluentHost: "127.0.0.1", FluentPort: port, TagPrefix: "app", RequestAck: true, SubSecondPrecision: true,
		WriteTimeout: 20 * time.Second,
	})
	if err != nil {
		panic(err)
	}
	for n := 1; n <= 3; n++ {
		if err := l.Post("go", map[string]interface{}{"message": fmt.Sprintf("Message %d", n)}); err != nil {
			panic(err)
		}
	}
	if err := l.Close(); err != nil {
		panic(err)
	}
}

// Reads lines from stdin and says what the official readers made of them, one JSON text a line.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	strict "github.com/go-logfmt/logfmt"
	kr "github.com/kr/logfmt"
	"go.opentelemetry.io/collector/pdata/plog"
)

type pairs [][2]string

func (p *pairs) HandleLogfmt(key, value []byte) error {
	*p = append(*p, [2]string{string(key), string(value)})
	return nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		said, err := read(os.Args[1], lines.Bytes())
		if err != nil {
			fmt.Fprintf(os.Stderr, "%v: %s\n", err, lines.Bytes())
			os.Exit(1)
		}
		fmt.Printf("%s\n", said)
	}
}

func read(what string, line []byte) ([]byte, error) {
	if what == "otlp" {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
		if err != nil {
			return nil, err
		}
		return (&plog.JSONMarshaler{}).MarshalLogs(logs)
	}
	var one, other pairs
	decoder := strict.NewDecoder(bytes.NewReader(line))
	for decoder.ScanRecord() {
		for decoder.ScanKeyval() {
			one = append(one, [2]string{string(decoder.Key()), string(decoder.Value())})
		}
	}
	if err := decoder.Err(); err != nil {
		return nil, err
	}
	if err := kr.Unmarshal(line, &other); err != nil {
		return nil, err
	}
	return json.Marshal([]pairs{one, other})
}

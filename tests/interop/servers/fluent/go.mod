module client

go 1.24

require (
	github.com/fluent/fluent-logger-golang v1.9.0
	github.com/tinylib/msgp v1.6.5
)

// The OpenTelemetry Collector with its receiver of Fluentd's forward protocol, and an exporter that appends what arrives to
// a file, a request a line, as OTLP's JSON. While $D/refuse is there, it refuses.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"path/filepath"
	"sync"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/fluentforwardreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

type lines struct {
	component.StartFunc
	component.ShutdownFunc
	mutex sync.Mutex
}

func (*lines) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (l *lines) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	dir := os.Getenv("D")
	if _, err := os.Stat(filepath.Join(dir, "refuse")); err == nil {
		return errors.New("refused by the test")
	}
	line, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
	if err != nil {
		return err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	file, err := os.OpenFile(filepath.Join(dir, "out.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	return err
}

func factories() (otelcol.Factories, error) {
	logs := func(context.Context, exporter.Settings, component.Config) (exporter.Logs, error) { return &lines{}, nil }
	config := func() component.Config { return &struct{}{} }
	out := exporter.NewFactory(component.MustNewType("lines"), config, exporter.WithLogs(logs, component.StabilityLevelStable))
	var all otelcol.Factories
	var in, to error
	all.Receivers, in = otelcol.MakeFactoryMap[receiver.Factory](fluentforwardreceiver.NewFactory())
	all.Exporters, to = otelcol.MakeFactoryMap[exporter.Factory](out)
	all.Telemetry = otelconftelemetry.NewFactory()
	return all, errors.Join(in, to)
}

func main() {
	providers := []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory()}
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "otelcol"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{ProviderFactories: providers, DefaultScheme: "env"},
		},
	})
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}

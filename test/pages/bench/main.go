// Command bench measures the pages: the server as it is shipped, in a process of its own, in front of a real API server, with many people who
// look and many runs that finish. `make bench-pages` runs it: see docs/benchmarks.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// settings are the flags.
type settings struct {
	Listeners int           `json:"listeners"`
	Users     int           `json:"users"`
	Rate      int           `json:"runsASecond"`
	During    time.Duration `json:"during"`
	Visits    int           `json:"visits"`
	Lines     int           `json:"lines"`
	Cases     int           `json:"cases"`
	program   string
	database  string
	output    string
}

func main() {
	var s settings
	flag.IntVar(&s.Listeners, "listeners", 200, "How many pages are open.")
	flag.IntVar(&s.Users, "users", 4, "How many people have them open; one may have 64.")
	flag.IntVar(&s.Rate, "rate", 50, "How many runs finish each second.")
	flag.DurationVar(&s.During, "during", time.Minute, "How long runs finish.")
	flag.IntVar(&s.Visits, "visits", 100, "How often a page is asked for, to measure it.")
	flag.IntVar(&s.Lines, "lines", 1_000_000, "How many lines the long output has.")
	flag.IntVar(&s.Cases, "cases", 0, "How many cases the database has, for the report.")
	flag.StringVar(&s.program, "server", "bin/server", "The server.")
	flag.StringVar(&s.database, "database", "", "A database of make bench-archive; empty is a new one.")
	flag.StringVar(&s.output, "json", "bin/bench-pages.json", "Where the figures go.")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(s))
}

// Run measures beside the API server.
func (s settings) Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return 0
}

func (s settings) run(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "testrun-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	result := report{Settings: s, Load: loadOfMachine()}
	b := &bench{settings: s, folder: folder}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer b.server.stop()
	for _, step := range []func(context.Context, *report) error{b.firstPage, b.longOutput, b.crowd} {
		if err := step(ctx, &result); err != nil {
			return err
		}
	}
	content, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.output, append(content, '\n'), 0o644); err != nil { //nolint:gosec // figures
		return err
	}
	result.print(os.Stdout)
	return nil
}

// Command bench measures what TestRun adds to bare Jobs: on one cluster, in the same minutes, with the same pods. See
// docs/benchmarks.md. `make bench` prepares what it needs: the local cluster with simulated nodes, and TestRun deployed in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
)

// settings are the flags.
type settings struct {
	Runs     int             `json:"runs"`
	Rounds   int             `json:"rounds"`
	Clients  int             `json:"clients"`
	OneByOne int             `json:"oneByOne"`
	Duration metav1.Duration `json:"duration"`
	manager  string
	only     string
	output   string
	profiles string
}

func (s settings) logFile() string {
	return strings.TrimSuffix(s.output, filepath.Ext(s.output)) + ".log"
}

func main() {
	var s settings
	flag.IntVar(&s.Runs, "runs", 1000, "Runs, and bare Jobs, of each part.")
	flag.IntVar(&s.Rounds, "rounds", 5, "How often everything is measured.")
	flag.IntVar(&s.Clients, "clients", 32, "Clients that create at the same time.")
	flag.IntVar(&s.OneByOne, "one-by-one", 100, "Runs that are created one by one, each round.")
	flag.DurationVar(&s.Duration.Duration, "duration", time.Second, "How long a simulated pod runs.")
	flag.StringVar(&s.manager, "manager", "bin/manager", "The operator.")
	flag.StringVar(&s.only, "only", "", "The part that is measured: rounds or queues (without a cluster); all if empty.")
	flag.StringVar(&s.output, "json", "bin/bench.json", "Where the figures go; beside it the operator's log.")
	flag.StringVar(&s.profiles, "profiles", "", "A folder for CPU profiles of the operator; taking them costs it a little.")
	flag.Parse()

	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.Runs < 1 || s.Rounds < 1 || s.Clients < 1 || s.OneByOne < 1 {
		return errors.New("-runs, -rounds, -clients and -one-by-one are at least 1")
	}
	parts := []struct {
		name    string
		measure func(context.Context, *report) error
	}{{"rounds", measureRounds}, {"queues", measureQueues}}
	result := report{Settings: s}
	measured := false
	for _, part := range parts {
		if s.only == "" || s.only == part.name {
			measured = true
			if err := part.measure(ctx, &result); err != nil {
				return err
			}
		}
	}
	if !measured {
		return fmt.Errorf("-only=%s is no part", s.only)
	}
	if err := result.write(s.output); err != nil {
		return err
	}
	return result.print(os.Stdout)
}

func measureRounds(ctx context.Context, result *report) (err error) {
	s := result.Settings
	kubernetes, err := connect()
	if err != nil {
		return fmt.Errorf("%w; `make bench` sees to all that is needed", err)
	}
	restore, err := kubernetes.takeOver(ctx)
	defer func() { err = errors.Join(err, restore()) }()
	if err != nil {
		return err
	}
	bare, stop, err := startAPIServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	bare.managerArgs = kubernetes.managerArgs

	b := &bench{settings: s, kubernetes: kubernetes, bare: bare}
	result.Machine = kubernetes.machine()
	for i := range s.Rounds {
		fmt.Printf("round %d of %d\n", i+1, s.Rounds)
		figures, err := b.round(ctx)
		if err != nil {
			return err
		}
		result.Rounds = append(result.Rounds, figures)
	}
	result.Targets = judge(result.Rounds)
	return nil
}

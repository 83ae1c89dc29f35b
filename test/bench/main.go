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
	output   string
	profiles string
}

func main() {
	var s settings
	flag.IntVar(&s.Runs, "runs", 1000, "Runs, and bare Jobs, of each part.")
	flag.IntVar(&s.Rounds, "rounds", 5, "How often everything is measured.")
	flag.IntVar(&s.Clients, "clients", 32, "Clients that create at the same time.")
	flag.IntVar(&s.OneByOne, "one-by-one", 100, "Runs that are created one by one, each round.")
	flag.DurationVar(&s.Duration.Duration, "duration", time.Second, "How long a simulated pod runs.")
	flag.StringVar(&s.manager, "manager", "bin/manager", "The operator.")
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

func run(ctx context.Context, s settings) (err error) {
	if s.Runs < 1 || s.Rounds < 1 || s.Clients < 1 || s.OneByOne < 1 {
		return errors.New("-runs, -rounds, -clients and -one-by-one are at least 1")
	}
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
	result := report{Settings: s, Machine: kubernetes.machine()}
	for i := range s.Rounds {
		fmt.Printf("round %d of %d\n", i+1, s.Rounds)
		figures, err := b.round(ctx)
		if err != nil {
			return err
		}
		result.Rounds = append(result.Rounds, figures)
	}
	result.Targets = judge(result.Rounds)
	if err := result.write(s.output); err != nil {
		return err
	}
	return result.print(os.Stdout)
}

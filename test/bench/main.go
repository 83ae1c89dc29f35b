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
	"slices"
	"strconv"
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
	Starts   int             `json:"starts"`
	Archived int             `json:"archived"`
	Duration metav1.Duration `json:"duration"`
	Kept     []int           `json:"kept"`
	only     string
	manager  string
	output   string
	profiles string
}

func (s settings) logFile() string {
	return strings.TrimSuffix(s.output, filepath.Ext(s.output)) + ".log"
}

// portion is what can be measured alone.
type portion struct {
	name    string
	measure func(*bench, context.Context, *report) error
}

// portions returns those that are asked for, in their order; all if none is named.
func portions(only string) ([]portion, error) {
	all := []portion{{"rounds", (*bench).rounds}, {"pods", (*bench).pods}, {"queues", (*bench).queues}, {"scale", (*bench).scales}, {"archived-runs", (*bench).archived}}
	if only == "" {
		return all[:len(all)-1], nil // the last one needs a server, which the others would pay for
	}
	at := slices.IndexFunc(all, func(p portion) bool { return p.name == only })
	if at < 0 {
		return nil, fmt.Errorf("-only=%s: it is rounds, pods, queues, scale or archived-runs", only)
	}
	return all[at : at+1], nil
}

func main() {
	var s settings
	flag.IntVar(&s.Runs, "runs", 1000, "Runs, and bare Jobs, of each part.")
	flag.IntVar(&s.Rounds, "rounds", 5, "How often everything is measured.")
	flag.IntVar(&s.Clients, "clients", 32, "Clients that create at the same time.")
	flag.IntVar(&s.OneByOne, "one-by-one", 500, "Runs that are created one by one, each round.")
	flag.IntVar(&s.Starts, "starts", 3, "Real pods of each kind that are started one by one, each round.")
	flag.IntVar(&s.Archived, "archived", 30, "Runs on real pods with an archive, and as many without, each round.")
	flag.DurationVar(&s.Duration.Duration, "duration", time.Second, "How long a simulated pod runs.")
	s.Kept = []int{1000, 10000}
	flag.Func("kept", "Numbers of finished runs that are kept, in ascending order. (default 1000,10000)", func(value string) (err error) {
		s.Kept, err = numbers(value)
		return err
	})
	flag.StringVar(&s.only, "only", "", "The one part that is measured: rounds or pods, or queues or scale, which need no cluster. Empty is all of those. Or archived-runs.")
	flag.StringVar(&s.manager, "manager", "bin/manager", "The operator.")
	flag.StringVar(&s.output, "json", "bin/bench.json", "Where the figures go; beside it the operator's log.")
	flag.StringVar(&s.profiles, "profiles", "", "A folder for profiles of the operator; taking them costs it a little.")
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
	if s.Runs < 1 || s.Rounds < 1 || s.Clients < 1 || s.OneByOne < 1 || s.Starts < 1 || s.Archived < 1 {
		return errors.New("-runs, -rounds, -clients, -one-by-one, -starts and -archived are at least 1")
	}
	chosen, err := portions(s.only)
	if err != nil {
		return err
	}
	b, result := &bench{settings: s}, report{Settings: s}
	for _, portion := range chosen {
		if err == nil {
			err = portion.measure(b, ctx, &result)
		}
	}
	if len(result.Rounds)+len(result.Pods)+len(result.Queues)+len(result.Scale)+len(result.Archived) == 0 {
		return err
	}
	result.judge()
	return errors.Join(err, result.write(s.output), result.print(os.Stdout))
}

// numbers reads whole numbers of at least 1, each larger than the one before.
func numbers(list string) ([]int, error) {
	var all []int
	last := 0
	for item := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(item)
		if err != nil || n <= last {
			return nil, fmt.Errorf("%q is no number above %d", item, last)
		}
		all, last = append(all, n), n
	}
	return all, nil
}

// rounds measures everything that is compared with bare Jobs.
func (b *bench) rounds(ctx context.Context, result *report) (err error) {
	restore, err := b.takeOver(ctx, result)
	defer func() { err = errors.Join(err, restore()) }()
	if err != nil {
		return err
	}
	bare, stop, err := startAPIServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	b.bare = bare

	for i := range b.Rounds {
		fmt.Printf("round %d of %d\n", i+1, b.Rounds)
		figures, err := b.round(ctx, i)
		if err != nil {
			return err
		}
		result.Rounds = append(result.Rounds, figures)
	}
	return nil
}

// takeOver makes the cluster ready for an operator of the bench's own, and returns what starts the deployed one again.
func (b *bench) takeOver(ctx context.Context, result *report) (restore func() error, err error) {
	if b.kubernetes, err = connect(); err != nil {
		return func() error { return nil }, fmt.Errorf("%w; `make bench` sees to all that is needed", err)
	}
	result.Machine = b.kubernetes.machine()
	return b.kubernetes.takeOver(ctx)
}

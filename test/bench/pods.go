package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
)

const (
	labelStarted = "bench.example.com/started"
	// afterPod is left between two real pods, so that the node has cleared away the first.
	afterPod = 500 * time.Millisecond
)

// podRound is what is measured of real pods in one round.
type podRound struct {
	ImageVolume   podStarts `json:"imageVolume"`
	InitContainer podStarts `json:"initContainer"`
}

// podStarts is how long it takes to start a test: from just before the call that creates a run, or a bare Job, to the test's first
// instruction.
//
// The kubelet looks only every 300 ms whether a pod's volumes are mounted, so the first volume costs a pod most of that, and
// further ones nothing. A bare Job's pod has one by default, its token; a run's has none.
type podStarts struct {
	BareJobs quantiles `json:"bareJobsMilliseconds"`
	NoVolume runStarts `json:"runsWithoutVolume"`
	Token    runStarts `json:"runsWithToken"`
	// RunnerMiB is the most memory that one of the runners has had.
	RunnerMiB float64 `json:"runnerPeakMiB"`
}

// runStarts is the same of runs with the same pods.
type runStarts struct {
	WithoutRunner quantiles `json:"withoutRunnerMilliseconds"`
	WithRunner    quantiles `json:"withRunnerMilliseconds"`
}

func (s runStarts) runnerAdds() float64 { return s.WithRunner.P50 - s.WithoutRunner.P50 }

// runAdds compares pods that have the same volume.
func (s podStarts) runAdds() float64 { return s.Token.WithoutRunner.P50 - s.BareJobs.P50 }

var runsWithoutRunner = kind{
	name: "TestRuns without the runner", track: trackRuns,
	make: func(namespace, name string, template corev1.PodTemplateSpec) client.Object {
		run := newRun(namespace, name, template)
		run.Spec.TestSpec.Results.Format = v1alpha1.ResultsNone
		return run
	},
}

// podKind is what is started.
type podKind struct {
	kind
	hasToken bool
}

// podKinds are in the order in which podStarts has them.
var podKinds = []podKind{{bareJobs, true}, {runsWithoutRunner, false}, {testRuns, false}, {runsWithoutRunner, true}, {testRuns, true}}

// pods measures how long real pods take to start.
func (b *bench) pods(ctx context.Context, result *report) (err error) {
	restore, err := b.takeOver(ctx, result)
	defer func() { err = errors.Join(err, restore()) }()
	if err != nil {
		return err
	}
	for i := range b.Rounds {
		fmt.Printf("real pods, round %d of %d\n", i+1, b.Rounds)
		var r podRound
		if r.ImageVolume, err = b.podStarts(ctx, jobspec.ImageVolume); err != nil {
			return err
		}
		if r.InitContainer, err = b.podStarts(ctx, jobspec.InitContainer); err != nil {
			return err
		}
		result.Pods = append(result.Pods, r)
	}
	return nil
}

// podStarts starts pods one by one. Their kinds take turns, in an order that changes, so that none always comes after the same one.
func (b *bench) podStarts(ctx context.Context, mount jobspec.RunnerMount) (s podStarts, err error) {
	c := *b.kubernetes
	c.managerArgs = append(slices.Clone(c.managerArgs), "--runner-mount="+string(mount))
	operator, err := startManager(ctx, &c, b.manager, b.logFile())
	defer operator.stop()
	if err != nil {
		return s, err
	}
	namespace, err := c.newNamespace(ctx, true)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.removeNamespace(context.WithoutCancel(ctx), namespace)) }()
	jobs, err := trackJobs(ctx, &c, namespace, (1+b.Starts)*len(podKinds))
	defer jobs.stop()
	if err != nil {
		return s, err
	}

	took := make([][]time.Duration, len(podKinds))
	for i := range 1 + b.Starts { // the first of each kind does not count: it finds cold caches, and an operator that waits for its Lease
		for _, k := range rand.Perm(len(podKinds)) {
			started, err := c.startPod(ctx, jobs, podKinds[k], namespace, fmt.Sprintf("r-%d-%d", k, i))
			if err != nil {
				return s, fmt.Errorf("%s, %s: %w", podKinds[k].name, mount, err)
			}
			if i > 0 {
				took[k] = append(took[k], started.after)
				s.RunnerMiB = max(s.RunnerMiB, started.runnerMiB)
			}
		}
	}
	s.BareJobs = quantilesOf(took[0])
	s.NoVolume = runStarts{quantilesOf(took[1]), quantilesOf(took[2])}
	s.Token = runStarts{quantilesOf(took[3]), quantilesOf(took[4])}
	fmt.Printf("  %-14s from created to the first instruction, p50: bare Jobs %.0f ms, TestRuns %.0f ms; without the runner %.0f ms\n",
		mount, s.BareJobs.P50, s.NoVolume.WithRunner.P50, s.NoVolume.WithoutRunner.P50)
	return s, nil
}

// startedPod is what a test says of its start.
type startedPod struct {
	after     time.Duration
	runnerMiB float64 // 0 without the runner
}

// startPod has one pod run to its end, and gives the node time to clear it away.
func (c *cluster) startPod(ctx context.Context, jobs *tracker, kind podKind, namespace, name string) (started startedPod, err error) {
	if err := c.Create(ctx, kind.make(namespace, name, realPod(name, kind.hasToken, time.Now()))); err != nil {
		return started, err
	}
	if err := jobs.wait(ctx, 1, patience); err != nil {
		return started, err
	}
	time.Sleep(afterPod)
	log, err := c.podLog(ctx, namespace, name)
	if err != nil {
		return started, err
	}
	if started.after, err = startIn(log); err != nil {
		return started, err
	}
	if kind.name == testRuns.name {
		started.runnerMiB, err = memoryIn(log, "VmHWM")
	}
	return started, err
}

// announcingTest is given the time at which it was asked for. It takes the time first of all. Then it gives the runner, if it is
// its parent, something to read, and ends with what the kernel says of the runner's memory.
const announcingTest = `my $after = time - shift;
print "ok $_ - a case of many\n" for 1 .. 100_000;
print "1..100000\n";
printf "began after %.6f s\n", $after;
if (open my $runner, "<", "/proc/" . getppid . "/status") { print grep { /^VmHWM/ } <$runner> }`

// realPod runs on the real node: it does not tolerate the taint of simulated ones.
func realPod(name string, hasToken bool, asked time.Time) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers: []corev1.Container{{
			Name: "test", Image: "perl:5-slim",
			Command: []string{"perl", "-MTime::HiRes=time", "-e", announcingTest, fmt.Sprintf("%.6f", float64(asked.UnixMicro())/1e6)},
		}},
	}}
	if hasToken {
		template.Spec.ServiceAccountName = "default"
	}
	template.Labels = map[string]string{labelStarted: name}
	return template
}

// podLog returns the last lines of the pod that was started under that name.
func (c *cluster) podLog(ctx context.Context, namespace, name string) (string, error) {
	pods := &corev1.PodList{}
	if err := c.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels{labelStarted: name}); err != nil {
		return "", err
	}
	if len(pods.Items) != 1 {
		return "", fmt.Errorf("%s has %d pods", name, len(pods.Items))
	}
	core, err := corev1client.NewForConfig(c.config)
	if err != nil {
		return "", err
	}
	log, err := core.Pods(namespace).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{TailLines: ptr.To[int64](2)}).DoRaw(ctx)
	return string(log), err
}

func startIn(log string) (time.Duration, error) {
	for line := range strings.Lines(log) {
		var seconds float64
		if n, _ := fmt.Sscanf(line, "began after %f s", &seconds); n == 1 {
			return time.Duration(seconds * float64(time.Second)), nil
		}
	}
	return 0, fmt.Errorf("the test does not say when it began: %q", log)
}

// printPods has a column for each way in which the runner gets into a pod.
func printPods(table io.Writer, rounds []podRound) {
	fmt.Fprintln(table, "\nREAL PODS: CREATED → THE TEST'S FIRST INSTRUCTION\timage volume\tinit container")
	for _, row := range []struct {
		what   string
		digits int
		figure func(podStarts) float64
	}{
		{"bare Jobs, p50, ms", 0, func(s podStarts) float64 { return s.BareJobs.P50 }},
		{"bare Jobs, p90, ms", 0, func(s podStarts) float64 { return s.BareJobs.P90 }},
		{"TestRuns, p50, ms", 0, func(s podStarts) float64 { return s.NoVolume.WithRunner.P50 }},
		{"TestRuns, p90, ms", 0, func(s podStarts) float64 { return s.NoVolume.WithRunner.P90 }},
		{"TestRuns without the runner, p50, ms", 0, func(s podStarts) float64 { return s.NoVolume.WithoutRunner.P50 }},
		{"TestRuns without the runner, p90, ms", 0, func(s podStarts) float64 { return s.NoVolume.WithoutRunner.P90 }},
		{"TestRuns with a token, p50, ms", 0, func(s podStarts) float64 { return s.Token.WithRunner.P50 }},
		{"TestRuns with a token, p90, ms", 0, func(s podStarts) float64 { return s.Token.WithRunner.P90 }},
		{"TestRuns with a token, without the runner, p50, ms", 0, func(s podStarts) float64 { return s.Token.WithoutRunner.P50 }},
		{"TestRuns with a token, without the runner, p90, ms", 0, func(s podStarts) float64 { return s.Token.WithoutRunner.P90 }},
		{"such a run adds to a bare Job, p50, ms", 0, podStarts.runAdds},
		{"the runner adds to a pod without volume, p50, ms", 0, func(s podStarts) float64 { return s.NoVolume.runnerAdds() }},
		{"the runner adds to a pod with a token, p50, ms", 0, func(s podStarts) float64 { return s.Token.runnerAdds() }},
		{"the runner's peak memory, MiB", 1, func(s podStarts) float64 { return s.RunnerMiB }},
	} {
		fmt.Fprintf(table, "%s\t%s\t%s\n", row.what,
			sampleBy(rounds, func(r podRound) float64 { return row.figure(r.ImageVolume) }).show(row.digits),
			sampleBy(rounds, func(r podRound) float64 { return row.figure(r.InitContainer) }).show(row.digits))
	}
}

package plugin

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/kit"
	"github.com/testrun-dev/testrun/test/node"
)

// part is what a test does.
type part struct {
	exit   int32
	cases  []results.Case
	output string
	// endless runs until it is told to stop.
	endless bool
}

// painted is what the Test paint prints.
const painted = "\x1b[32mgreen\x1b[0m \x1b[2Jcleared\n"

// partOf is what the test of a pod does: checkout fails with firefox, soak never ends, and everything else passes.
func partOf(pod *corev1.Pod) part {
	env := map[string]string{}
	for _, variable := range pod.Spec.Containers[0].Env {
		env[variable.Name] = variable.Value
	}
	switch pod.Labels[v1alpha1.LabelTest] {
	case "checkout":
		p := part{cases: []results.Case{
			{Suite: "t/basket.t", Name: "adds an article", Outcome: results.Passed, Duration: 12 * time.Millisecond},
			{Suite: "t/discount.t", Name: "ten percent for members", Outcome: results.Passed, Duration: 20 * time.Millisecond},
			{Suite: "t/payment.t", Name: "refunds", Outcome: results.Skipped, Message: "no sandbox"},
		}}
		if env["BROWSER"] == "firefox" {
			p.exit = 1
			p.cases[1] = results.Case{
				Suite: "t/discount.t", Name: "ten percent for members", Outcome: results.Failed, Duration: 48 * time.Millisecond,
				Location: "t/discount.t line 48", Message: "Failed test 'ten percent for members'\n     got: '83.00'\nexpected: '75.00'",
			}
		}
		p.output = "prove -v t/\n"
		for i, c := range p.cases {
			ok := map[results.Outcome]string{results.Passed: "ok", results.Skipped: "ok", results.Failed: "not ok"}[c.Outcome]
			p.output += fmt.Sprintf("%s %d - %s\n", ok, i+1, c.Name)
		}
		return p
	case "paint":
		return part{output: painted}
	case "soak":
		return part{endless: true}
	}
	return part{output: "all is well\n"}
}

// startNode has the pods of the namespace run, and end as their tests do.
func (w *world) startNode() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		done := map[types.UID]bool{}
		for ctx.Err() == nil {
			pods := &corev1.PodList{}
			if err := w.Client.List(ctx, pods, client.InNamespace(w.Namespace)); err == nil {
				for i := range pods.Items {
					w.play(ctx, &pods.Items[i], done)
				}
			}
			kit.Pause(ctx, 100*time.Millisecond)
		}
	}()
	w.T.Cleanup(func() {
		cancel()
		<-ended
	})
}

// play takes a pod one step on. A step that fails is done again.
func (w *world) play(ctx context.Context, pod *corev1.Pod, done map[types.UID]bool) {
	p := partOf(pod)
	stop := pod.Annotations[v1alpha1.AnnotationStopVerdict] != ""
	switch {
	case done[pod.UID]:
	case pod.Spec.NodeName == "":
		_ = node.Bind(ctx, w.Client, pod)
	case pod.Status.Phase == corev1.PodPending || pod.Status.Phase == "":
		_ = node.Report(ctx, w.Client, pod, node.SetRunning)
	case p.endless && !stop, time.Since(pod.Status.StartTime.Time) < 2*time.Second && !stop:
	default:
		end := corev1.ContainerStateTerminated{ExitCode: p.exit}
		report := &results.Report{Format: results.TAP, Final: true}
		for _, c := range p.cases {
			report.Add(c)
		}
		if len(p.cases) > 0 {
			end.Message = string(report.Encode(4096))
		}
		if stop {
			end = corev1.ContainerStateTerminated{ExitCode: 143}
		}
		if w.push(ctx, pod, p) != nil {
			return
		}
		done[pod.UID] = node.Report(ctx, w.Client, pod, func(status *corev1.PodStatus) {
			node.SetExit(status, end)
			if stop {
				status.Reason = "DeadlineExceeded"
			}
		}) == nil
	}
}

// push does what the runner does: it gives the archive what the test printed, and its cases.
func (w *world) push(ctx context.Context, pod *corev1.Pod, p part) error {
	run := &v1alpha1.TestRun{}
	if err := w.Client.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: pod.Labels[v1alpha1.LabelRun]}, run); err != nil {
		return err
	}
	attempt, err := strconv.Atoi(pod.Labels[v1alpha1.LabelAttempt])
	if err != nil {
		return err
	}
	test := pod.Labels[v1alpha1.LabelTest]
	owner := archive.Owner{
		UID: string(run.UID), Namespace: run.Namespace, Name: run.Name, Test: test, Series: test, Created: run.CreationTimestamp.Time, Attempt: int32(attempt),
	}
	if p.output != "" {
		if err := site.KeepStream(ctx, owner, push.Stream{Kind: push.Output}, p.output); err != nil {
			return err
		}
	}
	var cases []push.Case
	for _, c := range p.cases {
		cases = append(cases, push.Case{
			Suite: c.Suite, Name: c.Name, Outcome: c.Outcome, Microseconds: c.Duration.Microseconds(), Location: c.Location, Message: c.Message,
		})
	}
	if len(cases) == 0 {
		return nil
	}
	return site.KeepCases(ctx, owner, cases...)
}

// waitForArchived waits until the archive knows how the run ended.
func (w *world) waitForArchived(name string) {
	w.T.Helper()
	w.WaitFor("the archive knows how "+name+" ended", func() bool {
		run, err := site.Store.RunNamed(w.Ctx, w.Namespace, name)
		return err == nil && run.Verdict != ""
	})
}

// delete deletes a run, and waits until the archive knows.
func (w *world) delete(name string) {
	w.T.Helper()
	w.waitForArchived(name)
	w.Must(w.Client.Delete(w.Ctx, w.Run(name)))
	w.WaitFor("the archive knows that "+name+" is gone", func() bool {
		run, err := site.Store.RunNamed(w.Ctx, w.Namespace, name)
		return err == nil && !run.Deleted.IsZero()
	})
}

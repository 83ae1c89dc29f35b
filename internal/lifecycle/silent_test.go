package lifecycle

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

func replacing(run *v1alpha1.TestRun) {
	retrying(0, 1)(run)
	run.Spec.Retry.Unreachable = v1alpha1.UnreachableReplace
}

func TestAnAttemptOnASilentNodeIsReplacedOnlyIfTheTestAllowsIt(t *testing.T) {
	lost := Finished(v1alpha1.VerdictError, v1alpha1.ReasonNodeUnreachable, "")
	tests := map[string]struct {
		seen *scene
		does string
		says string // of the run
		ends bool   // whether the attempt ends, and another one follows
	}{
		"Wait never begins another one":                      {aRun(retrying(0, 1)).withPod(running).nodeSilentSince0(), "stop", "Finished Error NodeUnreachable", false},
		"Replace begins another one":                         {aRun(replacing).withPod(running).nodeSilentSince0(), "stop", "InProgress  Retrying", true},
		"Replace begins another one after a crash":           {aRun(replacing).withPod(running, stoppedFor(lost)).nodeSilentSince0(), "stop", "InProgress  Retrying", true},
		"Replace is paid from disruption":                    {aRun(replacing, once).withPod(running).nodeSilentSince0(), "stop", "Finished Error NodeUnreachable", false},
		"Wait begins another one if the pod has ended since": {aRun(retrying(0, 1)).withPod(exited(143, 0), deadlineExceeded, stoppedFor(lost)), "", "InProgress  Retrying", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(time.Hour))
			if deed(plan) != test.does || words(plan.State) != test.says || (plan.AttemptEnd != nil) != test.ends {
				t.Errorf("it does %q and says %q, the attempt ends as %q", deed(plan), words(plan.State), words(plan.AttemptEnd))
			}
		})
	}
}

func TestTheNodeIsAskedAboutOnlyWhereItMayBeSilent(t *testing.T) {
	unready := func(pod *corev1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse})
	}
	const hourLater = time.Hour + time.Minute // the run timeout, and the margin
	tests := map[string]struct {
		seen *scene
		now  time.Duration
		want bool
	}{
		"a Job without a pod":                      {aRun().withJob(), hourLater, false},
		"a pod that starts":                        {aRun().withPod(onANode, unready), 0, false},
		"a pod that runs":                          {aRun().withPod(running, acceptedAt(0)), 0, false},
		"a pod that runs and is not ready":         {aRun().withPod(running, acceptedAt(0), unready), 0, true},
		"a pod that has ended":                     {aRun().withPod(exited(1, 0), unready), 0, false},
		"a pod that runs for longer than it may":   {aRun().withPod(running, acceptedAt(0)), hourLater, true},
		"a pod that runs for nearly as long as so": {aRun().withPod(running, acceptedAt(0)), hourLater - time.Second, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := mayBeSilent(test.seen.look(), t0.Add(test.now)); got != test.want {
				t.Errorf("it is %t, want %t", got, test.want)
			}
		})
	}
}

func TestANodeIsSilentWhileItIsNotReadyOrLetsAPodRunOverItsTime(t *testing.T) {
	node := func(ready corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, LastTransitionTime: after(time.Hour)},
			{Type: corev1.NodeReady, Status: ready, LastTransitionTime: after(time.Minute)},
		}}}
	}
	seen := aRun().withPod(running, acceptedAt(0)).look()
	overdue := t0.Add(time.Hour + overdueMargin)
	tests := map[string]struct {
		node *corev1.Node
		now  time.Time
		want time.Time
	}{
		"ready":                         {node(corev1.ConditionTrue), t0, time.Time{}},
		"ready, and the pod is overdue": {node(corev1.ConditionTrue), overdue, overdue},
		"not ready":                     {node(corev1.ConditionFalse), t0, t0.Add(time.Minute)},
		"not heard of":                  {node(corev1.ConditionUnknown), t0, t0.Add(time.Minute)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := SilentSince(seen, test.node, test.now); !got.Equal(test.want) {
				t.Errorf("it is silent since %s, want %s", got, test.want)
			}
		})
	}
}

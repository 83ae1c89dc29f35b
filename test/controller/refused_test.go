package controller

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/node"
)

// refusing answers each status of the run that holds one of the words as the API server answers one that is invalid, and counts them.
func (w *world) refusing(run string, words ...string) *atomic.Int32 {
	count := &atomic.Int32{}
	w.api = apiserver.Through(w.api, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if request.Method != http.MethodPatch || !strings.HasSuffix(request.URL.Path, "/testruns/"+run+"/status") {
			return next.RoundTrip(request)
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		for _, word := range words {
			if bytes.Contains(body, []byte(word)) {
				count.Add(1)
				return apiserver.Refuse(request, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "the test refuses it")
			}
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		return next.RoundTrip(request)
	})
	return count
}

// A status that the API server refuses would be refused for ever: the run ends in words that it takes, and its pod is stopped before.
func TestARunWhoseStatusIsRefusedEnds(t *testing.T) {
	w := newWorld(t)
	refused := w.refusing("poison", `"reason":"Running"`, `"reason":"TestFailed"`)
	w.startController()
	w.Create(builders.TestRun("poison").Once().Build())
	pod := w.Execute("poison")
	w.WaitFor("the pod is stopped", func() bool {
		pod = w.WaitForPod("poison")
		return ptr.Deref(pod.Spec.ActiveDeadlineSeconds, 0) == 1
	})
	if run := w.Run("poison"); run.Status.Phase == v1alpha1.PhaseFinished {
		t.Error("the run finished before its pod had ended")
	}
	w.Report(pod, func(status *corev1.PodStatus) {
		status.Reason = "DeadlineExceeded"
		node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 143})
	})
	run := w.WaitForFinished("poison", v1alpha1.VerdictError, v1alpha1.ReasonStatusRefused)
	if message := conditions.Message(run); !strings.Contains(message, "the test refuses it") || len(message) > 1200 {
		t.Errorf("its message is %q", message)
	}
	if refused.Load() == 0 {
		t.Error("nothing was refused")
	}
}

// A run for which the API server takes no status at all is left alone, and holds up nobody.
func TestARunThatCannotEndHoldsNoSlot(t *testing.T) {
	w := newWorld(t)
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1})
	refused := w.refusing("poison", `{`)
	w.startController()
	w.Create(builders.TestRun("poison").Waiting(queue).Once().Build())
	w.Exit(w.Execute("poison"), corev1.ContainerStateTerminated{ExitCode: 1})
	w.Create(builders.TestRun("next").Waiting(queue).Once().Build())
	w.Exit(w.Execute("next"), corev1.ContainerStateTerminated{ExitCode: 0})
	w.WaitForFinished("next", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if run := w.Run("poison"); run.Status.Phase == v1alpha1.PhaseFinished {
		t.Errorf("the run has a status that was refused: %+v", run.Status)
	}
	if tries := refused.Load(); tries > 8 {
		t.Errorf("a status was tried %d times", tries)
	}
}

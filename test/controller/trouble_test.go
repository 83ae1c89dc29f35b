package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/node"
	"github.com/testrun-dev/testrun/test/operator"
)

func TestWhatCannotStartIsPendingWithItsReasonAndThenAnErrorWithTheSame(t *testing.T) {
	tests := map[string]struct {
		reason  string
		quoted  string
		prepare func(w *world)
	}{
		"no node fits": {v1alpha1.ReasonUnschedulable, "0/3 nodes are available", func(w *world) {
			w.Report(w.WaitForPod("stuck"), func(status *corev1.PodStatus) {
				node.SetCondition(status, corev1.PodScheduled, corev1.ConditionFalse, corev1.PodReasonUnschedulable, "0/3 nodes are available")
			})
		}},
		"the image cannot be pulled": {v1alpha1.ReasonImagePullFailed, "manifest unknown", func(w *world) {
			w.Report(w.Schedule("stuck"), func(status *corev1.PodStatus) {
				node.SetContainer(status, node.Waiting("ImagePullBackOff", "manifest unknown"))
			})
		}},
		"a ConfigMap is missing": {v1alpha1.ReasonContainerConfigError, `configmap "settings" not found`, func(w *world) {
			w.Report(w.Schedule("stuck"), func(status *corev1.PodStatus) {
				node.SetContainer(status, node.Waiting("CreateContainerConfigError", `configmap "settings" not found`))
			})
		}},
		"a volume's ConfigMap is missing": {v1alpha1.ReasonVolumeNotReady, `configmap "suite" not found`, func(w *world) {
			pod := w.Schedule("stuck")
			w.Report(pod, func(status *corev1.PodStatus) { node.SetContainer(status, node.Waiting("ContainerCreating", "")) })
			w.Create(&corev1.Event{
				ObjectMeta:     metav1.ObjectMeta{GenerateName: "mount-"},
				InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
				Type:           corev1.EventTypeWarning, Reason: "FailedMount", Message: `configmap "suite" not found`, LastTimestamp: metav1.Now(),
			})
		}},
		"the quota is exhausted": {v1alpha1.ReasonQuotaExceeded, "exceeded quota: none", func(*world) {}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := withController(t)
			if test.reason == v1alpha1.ReasonQuotaExceeded {
				w.Forbid(corev1.ResourcePods)
			}
			w.Create(builders.TestRun("stuck").StartTimeout(8 * time.Second).Build())
			test.prepare(w)
			w.WaitForPending("stuck", test.reason)
			run := w.WaitForFinished("stuck", v1alpha1.VerdictError, test.reason)
			if message := conditions.Message(run); !strings.Contains(message, test.quoted) || !strings.Contains(message, "Not started within 8s") {
				t.Errorf("the message does not say so: %s", message)
			}
			w.expectNoStart("stuck")
			w.waitForMetricOne("testrun_runs_finished_total", "Error")
			w.WaitFor("both events are written", func() bool { _, events := w.requests.split(); return events == 2 })
		})
	}
}

func TestANameThatNoImageCanHaveIsAnErrorAtOnce(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("misnamed").Build())
	w.Report(w.Schedule("misnamed"), func(status *corev1.PodStatus) {
		node.SetContainer(status, node.Waiting("InvalidImageName", `Failed to apply default image tag "Perl:5 slim"`))
	})
	run := w.WaitForFinished("misnamed", v1alpha1.VerdictError, v1alpha1.ReasonImagePullFailed)
	w.ExpectMessage(run, `Container test: Failed to apply default image tag "Perl:5 slim"`)
	w.expectNoStart("misnamed")
}

// The kubelet says of an image volume what it says of the container that has it.
func TestARunnerThatCannotBePulledIsTheInstallationsFault(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("stuck").StartTimeout(8 * time.Second).Build())
	w.Report(w.Schedule("stuck"), func(status *corev1.PodStatus) {
		node.SetContainer(status, node.Waiting("ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q", operator.RunnerImage)))
	})
	w.WaitForPending("stuck", v1alpha1.ReasonRunnerImagePullFailed)
	w.WaitForFinished("stuck", v1alpha1.VerdictError, v1alpha1.ReasonRunnerImagePullFailed)
	w.waitForMetricOne("testrun_runner_image_pull_failures_total", "")
}

// expectNoStart checks that a finished run cannot start any more: its pod is stopped, or its Job suspended.
func (w *world) expectNoStart(run string) {
	w.T.Helper()
	job := w.WaitForJob(run)
	if ptr.Deref(job.Spec.Suspend, false) {
		return
	}
	pod := w.WaitForPod(run)
	if deadline := pod.Spec.ActiveDeadlineSeconds; deadline == nil || *deadline != 1 {
		w.T.Errorf("the Job is not suspended and the pod's activeDeadlineSeconds is %v", deadline)
	}
}

func TestAQuotaOfJobsIsWaitedForAndThenAnError(t *testing.T) {
	w := withController(t)
	quota := w.Forbid("count/jobs.batch")
	w.Create(builders.TestRun("refused").StartTimeout(4 * time.Second).Build())
	w.Create(builders.TestRun("patient").Build())
	w.WaitForPending("refused", v1alpha1.ReasonQuotaExceeded)
	run := w.WaitForFinished("refused", v1alpha1.VerdictError, v1alpha1.ReasonQuotaExceeded)
	if !strings.Contains(conditions.Message(run), "exceeded quota: none") {
		t.Error(conditions.Message(run))
	}
	w.Must(w.Client.Delete(w.Ctx, quota))
	w.Execute("patient")
	w.WaitForInProgress("patient")
}

func TestARunWhoseJobIsRefusedKeepsItsPlace(t *testing.T) {
	w := newWorld(t)
	stop := w.startController()
	test := builders.Test("check", builders.TestSpec("true"))
	test.Spec.Queue = w.queue(oneAtATime)
	w.Create(test)
	quota := w.Forbid("count/jobs.batch")
	w.Create(builders.TestRun("refused").Of("check").StartTimeout(15 * time.Second).Build())
	w.WaitForPending("refused", v1alpha1.ReasonQuotaExceeded)
	w.Create(builders.TestRun("next").Of("check").Build())
	w.ExpectMessage(w.WaitForPending("next", v1alpha1.ReasonQueued), "1 of 1 runs run (maxRunning)")
	stop()
	w.startController()
	ended := w.WaitForFinished("refused", v1alpha1.VerdictError, v1alpha1.ReasonQuotaExceeded).Status.FinishTime
	if tried := w.WaitForPending("next", v1alpha1.ReasonQuotaExceeded).Status.Attempts[0].CreateTime; tried.Before(ended) {
		t.Errorf("the next one was tried at %s, before the end of the first one at %s", tried, ended)
	}
	w.Must(w.Client.Delete(w.Ctx, quota))
	w.Pass("next")
}

func TestTheKubeletEndsATestThatRunsTooLong(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("slow").RunTimeout(90 * time.Second).Build())
	pod := w.Execute("slow")
	if deadline := pod.Spec.ActiveDeadlineSeconds; deadline == nil || *deadline != 90 {
		t.Errorf("activeDeadlineSeconds is %v, want 90", deadline)
	}
	w.Report(pod, func(status *corev1.PodStatus) {
		status.Reason = "DeadlineExceeded"
		status.StartTime = ptr.To(metav1.NewTime(time.Now().Add(-90 * time.Second)))
		node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 143})
	})
	run := w.WaitForFinished("slow", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout)
	if !strings.Contains(conditions.Message(run), "1m30s") || *run.Status.Attempts[0].ExitCode != 143 {
		t.Errorf("%s, %+v", conditions.Message(run), run.Status.Attempts)
	}
}

func TestCancelEndsARunInEveryPhase(t *testing.T) {
	t.Run("when it was created cancelled there is never a Job", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("run").Cancelled().Build())
		w.WaitForFinished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		if len(w.Jobs()) != 0 {
			t.Errorf("there are %d Jobs", len(w.Jobs()))
		}
	})
	t.Run("while its pod has no node the Job is suspended", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("run").Build())
		w.WaitForPod("run")
		w.Cancel("run")
		w.WaitForFinished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		w.expectNoStart("run")
		w.WaitFor("the Job controller takes the pod away", func() bool { return w.WaitForJob("run").Status.Active == 0 })
	})
	t.Run("while its image is pulled it ends at once and the Job is suspended", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("run").Build())
		w.Schedule("run")
		w.Cancel("run")
		w.WaitForFinished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		if !ptr.Deref(w.WaitForJob("run").Spec.Suspend, false) {
			t.Error("the Job is not suspended")
		}
	})
	t.Run("while init containers run it ends at once and the pod is stopped and kept", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("run").Build())
		w.Report(w.Schedule("run"), func(status *corev1.PodStatus) {
			node.SetCondition(status, corev1.PodReadyToStartContainers, corev1.ConditionTrue, "", "")
			node.SetCondition(status, corev1.PodInitialized, corev1.ConditionFalse, "ContainersNotInitialized", "[prepare]")
		})
		w.Cancel("run")
		w.WaitForFinished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		if deadline := w.WaitForPod("run").Spec.ActiveDeadlineSeconds; deadline == nil || *deadline != 1 {
			t.Errorf("activeDeadlineSeconds is %v, want 1", deadline)
		}
	})
	t.Run("while the test runs the pod is stopped and waited for", func(t *testing.T) {
		w := withController(t)
		w.cancelRunning("run")
		w.expectNoStart("run")
		w.Report(w.WaitForPod("run"), func(status *corev1.PodStatus) {
			status.Reason = "DeadlineExceeded"
			node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 143})
		})
		w.WaitForFinished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	})
	t.Run("when the test ends by itself first its own verdict counts", func(t *testing.T) {
		w := withController(t)
		w.cancelRunning("run")
		w.Exit(w.WaitForPod("run"), corev1.ContainerStateTerminated{ExitCode: 0})
		w.WaitForFinished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	})
	t.Run("when it has finished nothing changes", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("run").Build())
		w.Exit(w.Execute("run"), corev1.ContainerStateTerminated{ExitCode: 0})
		w.WaitForFinished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.Cancel("run")
		run := w.WaitForRun("run", "observed again", func(run *v1alpha1.TestRun) bool { return run.Status.ObservedGeneration == 2 })
		if run.Status.Verdict != v1alpha1.VerdictPassed {
			t.Errorf("the verdict is now %s", run.Status.Verdict)
		}
	})
}

// cancelRunning creates a run, and cancels it while its test runs.
func (w *world) cancelRunning(name string) {
	w.T.Helper()
	w.Create(builders.TestRun(name).Build())
	w.Execute(name)
	w.WaitForInProgress(name)
	w.Cancel(name)
	w.WaitForRun(name, "Cancelling", func(run *v1alpha1.TestRun) bool { return conditions.Reason(run) == v1alpha1.ReasonCancelling })
}

func TestAJobDeletedByHandIsAnErrorAndNeverMadeAgain(t *testing.T) {
	for _, phase := range []string{"before the status speaks of it", "while the test runs", "while no controller runs"} {
		t.Run(phase, func(t *testing.T) {
			w := newWorld(t)
			stop := w.startController()
			w.Create(builders.TestRun("robbed").Build())
			job := w.WaitForJob("robbed")
			if phase != "before the status speaks of it" {
				w.Execute("robbed")
				w.WaitForInProgress("robbed")
			}
			if phase == "while no controller runs" {
				stop()
			}
			w.Must(w.Client.Delete(w.Ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground)))
			if phase == "while no controller runs" {
				w.WaitFor("the Job is gone", func() bool {
					return apierrors.IsNotFound(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(job), &batchv1.Job{}))
				})
				w.startController()
			}
			w.WaitForFinished("robbed", v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted)
			if len(w.Jobs()) != 0 {
				t.Errorf("there are %d Jobs", len(w.Jobs()))
			}
		})
	}
}

func TestAPodThatGoesAwayIsAnErrorAndNotAFailure(t *testing.T) {
	t.Run("deleted by hand", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("run").Build())
		pod := w.Execute("run")
		w.WaitForInProgress("run")
		w.Must(w.Client.Delete(w.Ctx, pod))
		w.Exit(w.WaitForPod("run"), corev1.ContainerStateTerminated{ExitCode: 143, FinishedAt: metav1.NewTime(time.Now().Add(time.Second))})
		w.WaitForFinished("run", v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted)
	})
	t.Run("deleted before it had a node", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("run").Build())
		w.Must(w.Client.Delete(w.Ctx, w.WaitForPod("run")))
		w.WaitForFinished("run", v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted)
	})
	t.Run("evicted", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("run").Once().Build())
		pod := w.Execute("run")
		w.Report(pod, func(status *corev1.PodStatus) {
			node.SetCondition(status, corev1.DisruptionTarget, corev1.ConditionTrue, "EvictionByEvictionAPI", "node is drained")
			node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 143, FinishedAt: metav1.NewTime(time.Now().Add(time.Second))})
		})
		run := w.WaitForFinished("run", v1alpha1.VerdictError, v1alpha1.ReasonDisrupted)
		if !strings.Contains(conditions.Message(run), "node is drained") {
			t.Error(conditions.Message(run))
		}
	})
	t.Run("rejected by the node", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("run").Once().Build())
		w.Report(w.Schedule("run"), func(status *corev1.PodStatus) {
			status.Phase, status.Reason, status.Message = corev1.PodFailed, "OutOfcpu", "Node didn't have enough resource"
		})
		run := w.WaitForFinished("run", v1alpha1.VerdictError, v1alpha1.ReasonPodRejected)
		if !strings.Contains(conditions.Message(run), "OutOfcpu: Node didn't have enough resource") {
			t.Error(conditions.Message(run))
		}
	})
}

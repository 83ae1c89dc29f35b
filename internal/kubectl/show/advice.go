package show

import (
	"strings"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Patience is how long an operator that works may take to look at a new run.
const Patience = 10 * time.Second

// NoOperator says what to do if no operator looks at a run.
const NoOperator = "no operator has looked at it. Is one installed and running? " +
	"kubectl -n testrun-system get pods shows it; docs/operating.md says how to install it."

// adviceFor is what to do about a run; empty if there is nothing to do.
func adviceFor(run *v1alpha1.TestRun, named string, now time.Time) string {
	reason := Reason(run)
	if reason == v1alpha1.ReasonWaiting {
		if Unseen(run, now) {
			return NoOperator
		}
		return "wait a moment: it was created just now."
	}
	return strings.NewReplacer("NAME", named, "QUEUE", QueueOf(run)).Replace(advice[reason])
}

// Unseen says whether no operator has looked at the run for longer than one that works would take.
func Unseen(run *v1alpha1.TestRun, now time.Time) bool {
	return Reason(run) == v1alpha1.ReasonWaiting && !IsFinished(run) && now.Sub(run.CreationTimestamp.Time) > Patience
}

const (
	waitAMoment   = "wait: it goes on by itself, and ends when timeouts.start is over."
	seeOutput     = "read its output: kubectl testrun logs NAME. kubectl testrun results NAME shows the cases."
	correctAndRun = "correct it, and create the run anew: a run cannot be changed."
	tryAgain      = "nothing is wrong with the test as far as anybody knows: kubectl testrun rerun NAME."
	seeOther      = "nothing: the other run does the work."
)

// advice says for each reason what lets a run go on, or what to do about its end. What ended well needs none.
var advice = map[string]string{
	v1alpha1.ReasonQueued:           "wait for its turn. A higher priority brings it forward: kubectl patch testrun NAME --type=merge -p '{\"spec\":{\"priority\":50}}'.",
	v1alpha1.ReasonQueueNotFound:    "create the TestQueue, or cancel the run and create it with a queue that exists: kubectl testrun queue top shows them.",
	v1alpha1.ReasonQueueForbidden:   "ask whoever keeps the queue to add the namespace to spec.namespaces, or use another queue.",
	v1alpha1.ReasonQueueSuspended:   "ask whoever paused the queue, or resume it: kubectl testrun queue resume QUEUE.",
	v1alpha1.ReasonConcurrencyLimit: "wait until the run with the same concurrency key has ended, or cancel that one: kubectl testrun cancel OTHER.",
	v1alpha1.ReasonNotBefore:        "wait until the time of spec.runAfter, or create a run without it.",
	v1alpha1.ReasonTestNotFound:     "create the Test, or create the run anew with the right name and namespace: kubectl get tests -A shows them.",
	v1alpha1.ReasonJobRefused:       "read what the API server says in the message: a webhook or a policy refuses the Job.",
	v1alpha1.ReasonJobNameTaken:     "delete the Job that has the name, or wait until that of the deleted run is gone.",
	v1alpha1.ReasonWaitingForKueue:  "wait until Kueue admits it: kubectl describe workloads says what it waits for.",
	v1alpha1.ReasonCreatingPod:      waitAMoment,
	v1alpha1.ReasonScheduling:       waitAMoment,
	v1alpha1.ReasonPreparing:        waitAMoment,
	v1alpha1.ReasonInitializing:     waitAMoment,
	v1alpha1.ReasonPullingImage:     waitAMoment,

	v1alpha1.ReasonQuotaExceeded:          "make room in the quota: kubectl describe resourcequota.",
	v1alpha1.ReasonServiceAccountNotFound: "create the ServiceAccount that the template names, or correct the name.",
	v1alpha1.ReasonPodRefused:             "read the message: Pod Security, a LimitRange or a quota refuses the pod. Correct the template.",
	v1alpha1.ReasonUnschedulable:          "compare what the template asks for with what nodes have: kubectl get nodes.",
	v1alpha1.ReasonVolumeNotReady:         "create the ConfigMap, Secret or claim that a volume names.",
	v1alpha1.ReasonImagePullFailed:        "correct the image's name, or give the registry's credentials in imagePullSecrets.",
	v1alpha1.ReasonRunnerImagePullFailed:  "tell whoever installed the operator: its --runner-image cannot be pulled. Nothing is wrong with the test.",
	v1alpha1.ReasonContainerConfigError:   "create the ConfigMap or Secret that env or envFrom names, or use an image whose user is allowed.",
	v1alpha1.ReasonContainerNotCreated:    "read the message: it is the container runtime's.",

	v1alpha1.ReasonRunning:           "nothing: the test runs. kubectl testrun logs NAME -f follows it.",
	v1alpha1.ReasonHelpersRunning:    "wait: the test has ended, and other containers of its pod are given time to end.",
	v1alpha1.ReasonHelpersNotStarted: "correct the other containers of the template: the message names them. The verdict is not lost.",
	v1alpha1.ReasonRetrying:          "wait: another attempt follows.",
	v1alpha1.ReasonNodeUnreachable:   "wait for the node, or for timeouts.unreachable: kubectl get nodes.",
	v1alpha1.ReasonCancelling:        "wait: the pod has been told to stop.",

	v1alpha1.ReasonTestFailed:           seeOutput,
	v1alpha1.ReasonCasesFailed:          "kubectl testrun results NAME shows the cases that failed; the exit code was 0.",
	v1alpha1.ReasonCasesPassed:          "read the end of its output, after the cases: kubectl testrun logs NAME. No case failed, and the exit code was not 0.",
	v1alpha1.ReasonBailedOut:            seeOutput,
	v1alpha1.ReasonPlanNotReached:       "read the end of its output: kubectl testrun logs NAME. Fewer or more cases came than were announced.",
	v1alpha1.ReasonResultsIncomplete:    "read the message: it names the report that breaks off or cannot be read.",
	v1alpha1.ReasonOutOfMemory:          "raise the container's limit of memory.",
	v1alpha1.ReasonStopped:              "look for a liveness probe or a postStart hook that failed: kubectl describe pods -l testrun.dev/run=NAME.",
	v1alpha1.ReasonRunTimeout:           "read where it stood: kubectl testrun logs NAME. If it only needs longer, raise timeouts.run.",
	v1alpha1.ReasonDuplicate:            seeOther,
	v1alpha1.ReasonConcurrencyRefused:   "wait until the other run has ended, and create the run anew.",
	v1alpha1.ReasonReplaced:             seeOther,
	v1alpha1.ReasonQueueFull:            "create the run anew when fewer wait: kubectl testrun queue top shows how many do.",
	v1alpha1.ReasonQueueTimeout:         "create the run anew, or with a longer timeouts.queue.",
	v1alpha1.ReasonNoResults:            "have the test report its cases in the format that results.format names, or set it to Auto.",
	v1alpha1.ReasonInfrastructureFailed: tryAgain,
	v1alpha1.ReasonStartTimeout:         "raise timeouts.start: the start was slow, and nothing else was wrong.",
	v1alpha1.ReasonRunNotFound:          "repeat a run that is still in the cluster, or run its Test: kubectl testrun run TEST.",
	v1alpha1.ReasonInvalidParams:        correctAndRun,
	v1alpha1.ReasonJobTooLarge:          correctAndRun,
	v1alpha1.ReasonStatusRefused:        "tell whoever installed the operator: the CRDs and the operator do not fit each other.",
	v1alpha1.ReasonJobInvalid:           "correct the template: the message is the API server's.",
	v1alpha1.ReasonJobDeleted:           tryAgain,
	v1alpha1.ReasonDefinitionLost:       tryAgain,
	v1alpha1.ReasonKueueRefused:         "ask whoever keeps Kueue: kubectl describe workloads.",
	v1alpha1.ReasonPodDeleted:           tryAgain,
	v1alpha1.ReasonPodLost:              tryAgain,
	v1alpha1.ReasonDisrupted:            tryAgain,
	v1alpha1.ReasonPodRejected:          tryAgain,
	v1alpha1.ReasonInitFailed:           "read what the init container says: kubectl logs POD -c CONTAINER.",
	v1alpha1.ReasonRuntimeFailed:        "read the message: it is the container runtime's. kubectl testrun rerun NAME tries again.",
	v1alpha1.ReasonStartFailed:          "correct the container's command: it could not be executed.",
}

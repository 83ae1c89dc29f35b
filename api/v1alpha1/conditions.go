package v1alpha1

// Types of the conditions of a TestRun. Exactly one of Pending, InProgress and Finished is True.
const (
	// ConditionPending is True until the test's container runs.
	ConditionPending = "Pending"
	// ConditionInProgress is True while the test's container runs.
	ConditionInProgress = "InProgress"
	// ConditionFinished is True once the run has a verdict.
	ConditionFinished = "Finished"
	// ConditionSucceeded is Unknown until the run has finished, then True if the verdict is Passed and False otherwise.
	// Its reason and message always say where the run is now.
	ConditionSucceeded = "Succeeded"
	// ConditionReconciling is present, and True, while the run has not finished: kstatus reads it as "in progress".
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present, and True, once the run has finished without passing: kstatus reads it as "failed".
	ConditionStalled = "Stalled"
)

// Reasons of a run that is Pending.
const (
	// ReasonWaiting means that no controller has reported on the run yet. It is the schema's default.
	ReasonWaiting = "Waiting"
	// ReasonQueued means that it is not the run's turn in its queue.
	ReasonQueued = "Queued"
	// ReasonQueueNotFound means that the TestQueue of the run does not exist. After the grace period it ends the run.
	ReasonQueueNotFound = "QueueNotFound"
	// ReasonQueueForbidden means that the TestQueue does not take runs of this namespace. The run waits until it does.
	ReasonQueueForbidden = "QueueForbidden"
	// ReasonQueueSuspended means that the TestQueue is suspended.
	ReasonQueueSuspended = "QueueSuspended"
	// ReasonConcurrencyLimit means that as many runs with the run's concurrency key run as may.
	ReasonConcurrencyLimit = "ConcurrencyLimit"
	// ReasonNotBefore means that the time of runAfter has not come.
	ReasonNotBefore = "NotBefore"
	// ReasonTestNotFound means that the Test named by testRef does not exist. After the grace period it ends the run.
	ReasonTestNotFound = "TestNotFound"
	// ReasonJobRefused means that the API server does not accept the attempt's Job for now, because of an admission webhook for one.
	// When timeouts.start is over it ends the run.
	ReasonJobRefused = "JobRefused"
	// ReasonJobNameTaken means that another object's Job has the name that the attempt's Job needs. It ends the run, unless
	// that Job is what remains of a deleted run of the same name: then the run waits until it is gone.
	ReasonJobNameTaken = "JobNameTaken"
	// ReasonWaitingForKueue means that Kueue has not admitted the Job. The time does not count for timeouts.start.
	ReasonWaitingForKueue = "WaitingForKueue"
	// ReasonCreatingPod means that the Job has no pod yet.
	ReasonCreatingPod = "CreatingPod"
	// ReasonScheduling means that the scheduler has not looked at the pod yet.
	ReasonScheduling = "Scheduling"
	// ReasonPreparing means that the pod has a node, which is setting up its volumes and network.
	ReasonPreparing = "Preparing"
	// ReasonInitializing means that the pod's init containers are running.
	ReasonInitializing = "Initializing"
	// ReasonPullingImage means that the node is getting the test's image and starting its container.
	ReasonPullingImage = "PullingImage"
)

// Reasons of a run that Kubernetes cannot start. While there is still time the run is Pending with one of them; when
// timeouts.start is over it is Finished with the same one, verdict Error.
const (
	// ReasonQuotaExceeded means that a ResourceQuota of the namespace has no room for the Job or the pod.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonServiceAccountNotFound means that the ServiceAccount named by the template does not exist.
	ReasonServiceAccountNotFound = "ServiceAccountNotFound"
	// ReasonPodRefused means that the API server refuses the pod for another reason, a Pod Security Standard for one.
	ReasonPodRefused = "PodRefused"
	// ReasonUnschedulable means that the pod gets no node: none fits, the one that it names does not exist, or what it claims is
	// missing.
	ReasonUnschedulable = "Unschedulable"
	// ReasonVolumeNotReady means that a volume cannot be mounted, because its ConfigMap or Secret is missing for one.
	ReasonVolumeNotReady = "VolumeNotReady"
	// ReasonImagePullFailed means that an image cannot be pulled. It ends the run at once if no image can have the name.
	ReasonImagePullFailed = "ImagePullFailed"
	// ReasonRunnerImagePullFailed means that the image of the runner, which reads a test's results, cannot be pulled. That is a fault
	// of the operator's installation, and not of the test.
	ReasonRunnerImagePullFailed = "RunnerImagePullFailed"
	// ReasonContainerConfigError means that a container cannot be configured: its environment needs a ConfigMap or Secret
	// that is missing, or its image's user is not allowed.
	ReasonContainerConfigError = "ContainerConfigError"
	// ReasonContainerNotCreated means that the container runtime could not make the container.
	ReasonContainerNotCreated = "ContainerNotCreated"
)

// Reasons of a run that is InProgress.
const (
	// ReasonRunning means that the test's container is running.
	ReasonRunning = "Running"
	// ReasonHelpersRunning means that the test has ended, and that other containers of its pod still run.
	ReasonHelpersRunning = "HelpersRunning"
	// ReasonHelpersNotStarted means that the test has ended, and that other containers of its pod cannot be started.
	ReasonHelpersNotStarted = "HelpersNotStarted"
	// ReasonRetrying means that an attempt has ended and another one follows. A run whose test has not run yet is Pending.
	ReasonRetrying = "Retrying"
	// ReasonNodeUnreachable means that the node of the pod does not answer, so that nobody knows how the test is. When
	// timeouts.unreachable is over it ends the attempt with verdict Error, and the run unless retry.unreachable is Replace.
	ReasonNodeUnreachable = "NodeUnreachable"
	// ReasonCancelling means that spec.cancel is set and the pod has been told to stop.
	ReasonCancelling = "Cancelling"
)

// Reasons of a run that is Finished, beside those above that end a run which could not be started.
const (
	// ReasonTestPassed means that the test ended with exit code 0, and that no case it reported failed. Verdict Passed.
	ReasonTestPassed = "TestPassed"
	// ReasonTestFailed means that the test ended with another exit code. Verdict Failed.
	ReasonTestFailed = "TestFailed"
	// ReasonCasesFailed means that cases failed although the test ended with exit code 0. Verdict Failed.
	ReasonCasesFailed = "CasesFailed"
	// ReasonCasesPassed means that the test ended with an exit code other than 0 although no case it reported failed. Verdict
	// Failed.
	ReasonCasesPassed = "CasesPassed"
	// ReasonBailedOut means that the test gave up and said so. Verdict Failed.
	ReasonBailedOut = "BailedOut"
	// ReasonPlanNotReached means that the cases are not those that the test announced: it ended too early, for one. Verdict
	// Failed.
	ReasonPlanNotReached = "PlanNotReached"
	// ReasonResultsIncomplete means that the results break off, cannot be read to their end, or could not be reported. Verdict
	// Failed.
	ReasonResultsIncomplete = "ResultsIncomplete"
	// ReasonOutOfMemory means that the kernel killed the test or one of its processes for want of memory, and that not all cases
	// passed nevertheless. Verdict Failed.
	ReasonOutOfMemory = "OutOfMemory"
	// ReasonStopped means that the test was told to stop before it had ended, and not by the operator or because of its pod: a
	// failing liveness probe or postStart hook does that. Verdict Error.
	ReasonStopped = "Stopped"
	// ReasonRunTimeout means that the pod was stopped when timeouts.run was over. Verdict TimedOut.
	ReasonRunTimeout = "RunTimeout"
	// ReasonCancelled means that spec.cancel ended the run. Verdict Cancelled.
	ReasonCancelled = "Cancelled"
	// ReasonDuplicate means that another run has the same unique key, and is the one to be kept. Verdict Cancelled.
	ReasonDuplicate = "Duplicate"
	// ReasonConcurrencyRefused means that as many runs with the run's concurrency key ran as may. Verdict Cancelled.
	ReasonConcurrencyRefused = "ConcurrencyRefused"
	// ReasonReplaced means that a later run took the place of this one. Verdict Cancelled.
	ReasonReplaced = "Replaced"
	// ReasonQueueFull means that as many runs waited in the queue as may. Verdict Error, as for every reason below.
	ReasonQueueFull = "QueueFull"
	// ReasonQueueTimeout means that it was not the run's turn within timeouts.queue.
	ReasonQueueTimeout = "QueueTimeout"
	// ReasonNoResults means that the test reported no case in the format that results.format demands. Verdict Error, as for
	// every reason below.
	ReasonNoResults = "NoResults"
	// ReasonInfrastructureFailed means that the test ended with one of retry.exitCodes.infrastructure: what it needs failed.
	ReasonInfrastructureFailed = "InfrastructureFailed"
	// ReasonStartTimeout means that timeouts.start was over, and Kubernetes had named no trouble: the message says at which step the
	// start was.
	ReasonStartTimeout = "StartTimeout"
	// ReasonRunNotFound means that the run named by rerunOf does not exist, or the one that that repeats.
	ReasonRunNotFound = "RunNotFound"
	// ReasonInvalidParams means that the params do not fit the Test.
	ReasonInvalidParams = "InvalidParams"
	// ReasonJobTooLarge means that the Job would be larger than the operator makes one; the message says how large.
	ReasonJobTooLarge = "JobTooLarge"
	// ReasonStatusRefused means that the API server refused the status with which the run was to end; the message quotes it.
	ReasonStatusRefused = "StatusRefused"
	// ReasonJobInvalid means that the API server says that the Job can never be valid; the message quotes it.
	ReasonJobInvalid = "JobInvalid"
	// ReasonJobDeleted means that somebody deleted the attempt's Job. It is never made a second time.
	ReasonJobDeleted = "JobDeleted"
	// ReasonDefinitionLost means that what the next attempt was to execute is not known any more: the annotation of the last Job that
	// holds it was changed, or the Test was too large for it and has changed.
	ReasonDefinitionLost = "DefinitionLost"
	// ReasonKueueRefused means that Kueue will never admit the Job: its Workload is finished or deactivated. Verdict Error.
	ReasonKueueRefused = "KueueRefused"
	// ReasonPodDeleted means that somebody deleted the attempt's pod before the test had ended.
	ReasonPodDeleted = "PodDeleted"
	// ReasonPodLost means that the Job has ended and its pod is gone, with the test's exit code.
	ReasonPodLost = "PodLost"
	// ReasonDisrupted means that the cluster took the pod away: eviction, preemption, drain, a lost node, a suspended Job.
	ReasonDisrupted = "Disrupted"
	// ReasonPodRejected means that the node did not admit the pod.
	ReasonPodRejected = "PodRejected"
	// ReasonInitFailed means that an init container failed, so that the test could not be run.
	ReasonInitFailed = "InitFailed"
	// ReasonRuntimeFailed means that the container runtime could not start the test's container, for a reason of its own.
	ReasonRuntimeFailed = "RuntimeFailed"
	// ReasonStartFailed means that the container's command could not be executed.
	ReasonStartFailed = "StartFailed"
)

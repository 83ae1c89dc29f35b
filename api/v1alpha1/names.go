package v1alpha1

// Labels on each Job that the controller makes and on the Job's pod, so that selectors work:
// `kubectl logs -l testrun.dev/run=smoke`.
const (
	// LabelRun holds the name of the TestRun.
	LabelRun = "testrun.dev/run"
	// LabelTest holds the name of the Test; absent when the run defines its test inline.
	LabelTest = "testrun.dev/test"
	// LabelAttempt holds the attempt's number, counted from 1.
	LabelAttempt = "testrun.dev/attempt"
)

// LabelKueueQueue on the template of a test names the LocalQueue of Kueue that admits its Jobs, which carry it too.
const LabelKueueQueue = KueuePrefix + "queue-name"

// KueuePrefix is that of the labels and annotations which Kueue reads: the Jobs carry those of the test's template.
const KueuePrefix = "kueue.x-k8s.io/"

// AnnotationRecord on a Job holds what the run's definition said when the attempt was made, since the Test may change or go later: as JSON,
// and only what differs from the defaults. On a pod it holds what the run's queue needs to know.
const AnnotationRecord = "testrun.dev/record"

// LabelSeries on a run that has no Test names the series in which the archive compares it with other runs.
const LabelSeries = "testrun.dev/series"

// AnnotationPinned on a run keeps it: no TTL and no keep of a Test deletes a run that is pinned. Any value but "false" pins.
const AnnotationPinned = "testrun.dev/pinned"

// IsPinned says whether the run is kept.
func IsPinned(run *TestRun) bool {
	value, has := run.Annotations[AnnotationPinned]
	return has && value != "false"
}

// AnnotationRequest on a run that the archive's API has created holds the SHA-256 of the request, so that the same request creates no
// second run.
const AnnotationRequest = "testrun.dev/request"

// EnvPrefix begins the name of each environment variable that TestRun sets, and of no param.
const EnvPrefix = "TESTRUN_"

// Environment variables that every container of a test's pod is given, beside the run's params.
const (
	// EnvName holds the name of the TestRun.
	EnvName = "TESTRUN_NAME"
	// EnvNamespace holds the namespace of the TestRun.
	EnvNamespace = "TESTRUN_NAMESPACE"
	// EnvUID holds the UID of the TestRun.
	EnvUID = "TESTRUN_UID"
	// EnvAttempt holds the attempt's number, counted from 1. Together with EnvUID it names one execution, ever.
	EnvAttempt = "TESTRUN_ATTEMPT"
)

// EnvResults holds the path of a folder, empty at first, for the JUnit files of the test. The test's own container has it, if
// its results are read and may be files.
const EnvResults = "TESTRUN_RESULTS"

// Annotations on a pod or a Job that the controller has told to stop: what the run ends with. They are set in the same write
// as the stop itself.
const (
	// AnnotationStopVerdict holds the verdict.
	AnnotationStopVerdict = "testrun.dev/stop-verdict"
	// AnnotationStopReason holds the reason.
	AnnotationStopReason = "testrun.dev/stop-reason"
	// AnnotationStopMessage holds the message.
	AnnotationStopMessage = "testrun.dev/stop-message"
	// AnnotationStopInFavorOf holds the name of the run because of which it is stopped; empty if there is none.
	AnnotationStopInFavorOf = "testrun.dev/stop-in-favor-of"
)

// AnnotationHelpersStopped on a pod says that its test had ended by itself when the controller stopped the other containers. It
// is set in the same write as the stop.
const AnnotationHelpersStopped = "testrun.dev/helpers-stopped"

// EventUnknownReference is the reason of the Warning event about a run whose template holds a $(NAME) that stands for nothing.
const EventUnknownReference = "UnknownReference"

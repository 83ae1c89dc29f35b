package jobspec

import (
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// asking is the request of a run with a definition of its own.
func asking(change ...func(*v1alpha1.TestRun)) Request {
	run := builders.TestRun("smoke").Build()
	for _, change := range change {
		change(run)
	}
	return Request{Run: run, Asked: run.Spec}
}

// job is its Job.
func (r Request) job(attempt int32) *batchv1.Job {
	return newJob(r, r.Definition(), Runner{Image: "testrun.invalid/runner:dev", Mount: ImageVolume}, attempt)
}

func withRetries(failure, disruption int32) func(*v1alpha1.TestRun) {
	return func(run *v1alpha1.TestRun) { run.Spec.Retry.Failure, run.Spec.Retry.Disruption = &failure, &disruption }
}

// ofSuite is the request of a run of the Test.
func ofSuite() Request {
	asked := asking(withRetries(1, 1), func(run *v1alpha1.TestRun) {
		run.Spec.TestSpec, run.Spec.TestRef = nil, &v1alpha1.TestReference{Name: "suite"}
		run.Spec.Params = []v1alpha1.Param{{Name: "TARGET", Value: ptr.To("staging")}}
	})
	asked.Test = suite()
	return asked
}

// repeatingOne is the request of a run that repeats that one.
func repeatingOne(of Request) Request {
	again := asking(func(run *v1alpha1.TestRun) {
		run.Spec = v1alpha1.TestRunSpec{RerunOf: &v1alpha1.RunReference{Name: "gone"}}
	})
	again.Asked, again.Test = of.Asked, of.Test
	return again
}

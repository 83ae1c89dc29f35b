package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Phase says where a run is in its life. It only ever moves forward: Pending, InProgress, Finished.
//
// +kubebuilder:validation:Enum=Pending;InProgress;Finished
type Phase string

// The phases of a run.
const (
	// PhasePending means that the test's container does not run yet.
	PhasePending Phase = "Pending"
	// PhaseInProgress means that the test's container runs.
	PhaseInProgress Phase = "InProgress"
	// PhaseFinished means that the run has ended and has a verdict.
	PhaseFinished Phase = "Finished"
)

// Phases lists the phases in order.
var Phases = []Phase{PhasePending, PhaseInProgress, PhaseFinished}

// Verdict says how a run, or one attempt of it, ended.
//
// +kubebuilder:validation:Enum=Passed;Failed;Error;TimedOut;Cancelled
type Verdict string

// The verdicts.
const (
	// VerdictPassed means that the test ran and succeeded.
	VerdictPassed Verdict = "Passed"
	// VerdictFailed means that the test ran and did not succeed.
	VerdictFailed Verdict = "Failed"
	// VerdictError means that the test could not be run, or was lost.
	VerdictError Verdict = "Error"
	// VerdictTimedOut means that the test ran for too long.
	VerdictTimedOut Verdict = "TimedOut"
	// VerdictCancelled means that somebody cancelled the run.
	VerdictCancelled Verdict = "Cancelled"
)

// TestRunStatus is what the controller says of a run.
//
// +kubebuilder:validation:MinProperties=1
type TestRunStatus struct {
	// observedGeneration is the metadata.generation that the rest of the status is about. Unset means that no controller
	// has reported yet.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase is Pending, InProgress or Finished.
	//
	// +optional
	// +kubebuilder:default=Pending
	Phase Phase `json:"phase,omitempty"`

	// verdict is Passed, Failed, Error, TimedOut or Cancelled. Unset until the run has finished.
	//
	// +optional
	Verdict Verdict `json:"verdict,omitempty"`

	// conditions are Pending, InProgress, Finished (exactly one of them is True) and Succeeded, whose reason and message say
	// where the run is now. Reconciling and Stalled are there for tools that read kstatus.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// test is the name of the Test that the run executes. Unset for a definition of its own, and until the run has started.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Test string `json:"test,omitempty"`

	// testGeneration is the metadata.generation of the Test that ran. Unset when the run defines its test inline.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	TestGeneration int64 `json:"testGeneration,omitempty"`

	// queue is the name of the TestQueue in which the run waits, or in which it counts since it started. Unset while it is not known what
	// the run executes.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Queue string `json:"queue,omitempty"`

	// startTime is when the test's container first ran. Unset if it has not.
	//
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// finishTime is when the run ended. Unset until it has finished.
	//
	// +optional
	FinishTime *metav1.Time `json:"finishTime,omitempty"`

	// duration is the time from startTime to finishTime, such as 1m3s. Unset until the run has finished, and for one whose
	// test did not run.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,9}(h|m|s)){1,3}$')",message="must be a duration in whole seconds"
	Duration *metav1.Duration `json:"duration,omitempty"`

	// flaky means that the run passed, after the test had failed in an earlier attempt. Unset means that it did not.
	//
	// +optional
	Flaky *bool `json:"flaky,omitempty"`

	// inFavorOf is the name of the run for which this one was cancelled: the one that came first, or that took its place. Unset
	// for every other run.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	InFavorOf string `json:"inFavorOf,omitempty"`

	// results are the cases that the test reported in the last attempt. Unset until the run has finished, and if none were
	// found.
	//
	// +optional
	Results Results `json:"results,omitzero"`

	// attempts are the executions of the test, in order.
	//
	// +optional
	// +listType=map
	// +listMapKey=number
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Attempts []Attempt `json:"attempts,omitempty"`
}

// Attempt is one execution of the test: one Job.
type Attempt struct {
	// number counts the attempts of a run from 1.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	Number int32 `json:"number,omitempty"`

	// job is the name of the Job. Unset while the API server does not accept it.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Job string `json:"job,omitempty"`

	// pod is the name of the Job's pod. Unset until there is one.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod,omitempty"`

	// node is the name of the pod's node. Unset until the pod is scheduled.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node,omitempty"`

	// createTime is when the Job was made, or first refused. timeouts.start counts from here.
	//
	// +optional
	CreateTime *metav1.Time `json:"createTime,omitempty"`

	// startTime is when the test's container ran. Unset if it has not.
	//
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// finishTime is when the attempt ended. Unset until it has.
	//
	// +optional
	FinishTime *metav1.Time `json:"finishTime,omitempty"`

	// exitCode is that of the test's container. Unset until it has ended, and if it never ran.
	//
	// +optional
	// +kubebuilder:validation:Minimum=-2147483648
	// +kubebuilder:validation:Maximum=2147483647
	ExitCode *int32 `json:"exitCode,omitempty"`

	// summary is the number of cases that passed over the number of all, such as 41/42. Unset if the test reported none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=64
	Summary string `json:"summary,omitempty"`

	// verdict says how the attempt ended. Unset until it has.
	//
	// +optional
	Verdict Verdict `json:"verdict,omitempty"`

	// reason says why, in one of the documented words. Unset until the attempt has ended.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
}

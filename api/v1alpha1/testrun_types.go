package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestRunSpec asks for one execution of a test. It cannot be changed, but for cancel, priority and ttlAfterFinished.
//
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || ([has(self.testRef), has(self.testSpec), has(self.rerunOf)].filter(x, x).size() == 1)",optionalOldSelf=true,message="set exactly one of testRef (the name of a Test), testSpec (a definition of its own) and rerunOf (the name of a run to repeat)"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || (!has(self.rerunOf) || !(has(self.params) || has(self.timeouts) || has(self.retry)))",optionalOldSelf=true,message="rerunOf repeats a run as that was asked for: leave out params, timeouts and retry"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || (!has(self.params) || !has(self.testSpec) || self.params.all(p, has(self.testSpec.params) && self.testSpec.params.exists(d, d.name == p.name)))",optionalOldSelf=true,messageExpression="'testSpec.params defines no %s, which params gives a value'.format([self.params.filter(p, !has(self.testSpec.params) || !self.testSpec.params.exists(d, d.name == p.name))[0].name])",message="params holds a name that testSpec.params does not define"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || (!has(self.testSpec) || !has(self.testSpec.params) || self.testSpec.params.all(d, !has(d.required) || !d.required || (has(self.params) && self.params.exists(p, p.name == d.name))))",optionalOldSelf=true,messageExpression="'params gives no value for %s, which testSpec.params requires'.format([self.testSpec.params.filter(d, has(d.required) && d.required && (!has(self.params) || !self.params.exists(p, p.name == d.name)))[0].name])",message="params lacks a value for a param that testSpec.params requires"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || (!has(self.params) || !has(self.testSpec) || !has(self.testSpec.params) || self.testSpec.params.all(d, !has(d.enum) || self.params.all(p, p.name != d.name || p.value in d.enum)))",optionalOldSelf=true,messageExpression="'params gives a value that is not in the enum of %s'.format([self.testSpec.params.filter(d, has(d.enum) && self.params.exists(p, p.name == d.name && !(p.value in d.enum)))[0].name])",message="params holds a value that is not in the enum of testSpec.params"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || (!has(self.params) || !has(self.testSpec) || !has(self.testSpec.template.spec) || self.params.map(p, size(p.value)).sum() * (size(self.testSpec.template.spec.containers) + (has(self.testSpec.template.spec.initContainers) ? size(self.testSpec.template.spec.initContainers) : 0)) <= 262144)",optionalOldSelf=true,message="params are given to each container, and are longer than 262144 characters in all containers together: use fewer containers, or put long text into a ConfigMap"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || (!has(self.concurrency) || !has(self.testSpec) || self.concurrency.key.findAll('[$]([$]|[(][A-Za-z_][A-Za-z0-9_]*[)])').all(r, r == '$$' || (has(self.testSpec.params) && self.testSpec.params.exists(p, r == '$(' + p.name + ')'))))",optionalOldSelf=true,message="concurrency.key holds a $(NAME) that testSpec.params does not define",messageExpression="'concurrency.key holds ' + self.concurrency.key.findAll('[$]([$]|[(][A-Za-z_][A-Za-z0-9_]*[)])').filter(r, r != '$$' && !(has(self.testSpec.params) && self.testSpec.params.exists(p, r == '$(' + p.name + ')')))[0] + ', which testSpec.params does not define'"
type TestRunSpec struct {
	// testRef names the Test to run. Unset means that testSpec or rerunOf defines it.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="testRef cannot be changed: create a new TestRun"
	TestRef *TestReference `json:"testRef,omitempty"` //nolint:kubeapilinter // a pointer says plainly that there may be none

	// testSpec defines the test inline. Unset means that testRef or rerunOf names it.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.retention) || !has(self.retention.keep)",message="retention.keep counts the runs of a Test, and an inline definition has only this one: use testRef, or set retention.ttl"
	TestSpec *TestSpec `json:"testSpec,omitempty"`

	// rerunOf names a run to repeat: this one asks for what that one asked for, its test, params, timeouts and retry. A Test is
	// taken as it is now. Unset means that the run repeats none.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="rerunOf cannot be changed: create a new TestRun"
	RerunOf *RunReference `json:"rerunOf,omitempty"` //nolint:kubeapilinter // a pointer says plainly that there may be none

	// params are values for the params that the test defines. Unset means the default of each.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="params cannot be changed: create a new TestRun"
	Params []Param `json:"params,omitempty"`

	// timeouts override those of the test, one by one. Unset means the test's own.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="has(self.queue) == has(oldSelf.queue) && (!has(self.queue) || duration(self.queue) == duration(oldSelf.queue)) && has(self.start) == has(oldSelf.start) && (!has(self.start) || duration(self.start) == duration(oldSelf.start)) && has(self.run) == has(oldSelf.run) && (!has(self.run) || duration(self.run) == duration(oldSelf.run)) && has(self.unreachable) == has(oldSelf.unreachable) && (!has(self.unreachable) || duration(self.unreachable) == duration(oldSelf.unreachable))",message="timeouts cannot be changed: create a new TestRun"
	Timeouts Timeouts `json:"timeouts,omitzero"`

	// retry overrides that of the test, field by field. Unset means the test's own.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="has(self.failure) == has(oldSelf.failure) && (!has(self.failure) || self.failure == oldSelf.failure) && has(self.disruption) == has(oldSelf.disruption) && (!has(self.disruption) || self.disruption == oldSelf.disruption) && has(self.unreachable) == has(oldSelf.unreachable) && (!has(self.unreachable) || self.unreachable == oldSelf.unreachable) && has(self.exitCodes) == has(oldSelf.exitCodes) && (!has(self.exitCodes) || self.exitCodes == oldSelf.exitCodes) && has(self.backoff) == has(oldSelf.backoff) && (!has(self.backoff) || (has(self.backoff.base) == has(oldSelf.backoff.base) && (!has(self.backoff.base) || duration(self.backoff.base) == duration(oldSelf.backoff.base)) && has(self.backoff.factor) == has(oldSelf.backoff.factor) && (!has(self.backoff.factor) || self.backoff.factor == oldSelf.backoff.factor) && has(self.backoff.cap) == has(oldSelf.backoff.cap) && (!has(self.backoff.cap) || duration(self.backoff.cap) == duration(oldSelf.backoff.cap))))",message="retry cannot be changed: create a new TestRun"
	Retry Retry `json:"retry,omitzero"`

	// queue is the name of the TestQueue in which the run waits. Unset means the test's own.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="no TestQueue can have this name: use lower case letters, digits, - and ., as in the name of the TestQueue"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="queue cannot be changed: create a new TestRun"
	Queue string `json:"queue,omitempty"`

	// priority decides who starts first of those that wait: the higher one. It may be changed while the run waits. Unset means
	// the test's own.
	//
	// +optional
	// +kubebuilder:validation:Minimum=-1000000
	// +kubebuilder:validation:Maximum=1000000
	Priority *int32 `json:"priority,omitempty"`

	// concurrency takes the place of that of the test. Unset means the test's own.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="concurrency cannot be changed: create a new TestRun"
	Concurrency Concurrency `json:"concurrency,omitzero"`

	// unique makes sure that there is one run with a key at a time, or in a window of time. Unset means that there may be any
	// number of runs like this one.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.key == oldSelf.key && has(self.onConflict) == has(oldSelf.onConflict) && (!has(self.onConflict) || self.onConflict == oldSelf.onConflict) && has(self.window) == has(oldSelf.window) && (!has(self.window) || duration(self.window) == duration(oldSelf.window))",message="unique cannot be changed: create a new TestRun"
	Unique Unique `json:"unique,omitzero"`

	// runAfter is the time before which the run does not start. Unset means that it starts as soon as it is its turn.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$') && timestamp(self) > timestamp('1970-01-01T00:00:00Z')",message="write a time such as 2026-01-31T10:00:00Z"
	// +kubebuilder:validation:XValidation:rule="timestamp(self) == timestamp(oldSelf)",message="runAfter cannot be changed: create a new TestRun"
	RunAfter *metav1.Time `json:"runAfter,omitempty"`

	// cancel ends the run with verdict Cancelled, unless it has ended before. Its pod is stopped; pod and logs stay. It can be
	// set, and not taken back before the run has finished. Unset means false.
	//
	// +optional
	Cancel *bool `json:"cancel,omitempty"`

	// ttlAfterFinished is how long the run is kept once it has finished; then it is deleted, with its Jobs, pods and logs. It
	// is a duration such as 0s, 30m or 24h. Unset means what retention.ttl of the test says.
	//
	// +optional
	TTLAfterFinished *Duration `json:"ttlAfterFinished,omitempty"`
}

// TestReference names a Test of the run's own namespace.
type TestReference struct {
	// name is the name of the Test.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="no Test can have this name: use lower case letters, digits, - and ., as in the name of the Test"
	Name string `json:"name,omitempty"`
}

// RunReference names a TestRun of the run's own namespace.
type RunReference struct {
	// name is the name of the TestRun.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=58
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="no TestRun can have this name: use lower case letters, digits, - and ., as in the name of the run"
	Name string `json:"name,omitempty"`
}

// Param is the value of one param.
type Param struct {
	// name is the name of a param that the test defines.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// value is the value.
	//
	// +required
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=1024
	Value *string `json:"value,omitempty"`
}

// TestRun is one job: one execution of a Test, or of a definition of its own. Create it and it runs; its status says
// where it is and, once finished, its verdict.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=trun
// +kubebuilder:selectablefield:JSONPath=`.status.phase`
// +kubebuilder:selectablefield:JSONPath=`.status.verdict`
// +kubebuilder:selectablefield:JSONPath=`.spec.testRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.rerunOf.name`
// +kubebuilder:printcolumn:name="Test",type=string,JSONPath=`.spec.testRef.name`,description="The Test that runs; empty for an inline definition"
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.phase`,description="Pending, InProgress or Finished"
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.status.verdict`,description="How it ended: Passed, Failed, Error, TimedOut or Cancelled"
// +kubebuilder:printcolumn:name="Cases",type=string,JSONPath=`.status.results.summary`,description="How many of the test's cases passed, of how many; empty if it reported none"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].reason`,description="Why it is where it is; describe says more"
// +kubebuilder:printcolumn:name="Duration",type=string,JSONPath=`.status.duration`,description="How long the test ran"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Attempts",type=integer,priority=1,JSONPath=`.status.attempts[-1:].number`,description="The number of the last attempt"
// +kubebuilder:printcolumn:name="Node",type=string,priority=1,JSONPath=`.status.attempts[-1:].node`,description="The node of the last attempt"
// +kubebuilder:printcolumn:name="Rerun of",type=string,priority=1,JSONPath=`.spec.rerunOf.name`,description="The run that this one repeats"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Succeeded")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 58",message="the name of a TestRun is at most 58 characters long: its Jobs add the number of the attempt to it, and a Job's name has at most 63"
// +kubebuilder:validation:XValidation:fieldPath=".spec",rule="self.status.phase != oldSelf.status.phase || (has(self.status.conditions) && has(oldSelf.status.conditions) && self.status.conditions != oldSelf.status.conditions) || [has(self.spec.testRef), has(self.spec.testSpec), has(self.spec.rerunOf), has(self.spec.params), has(self.spec.timeouts), has(self.spec.retry), has(self.spec.queue), has(self.spec.concurrency), has(self.spec.unique), has(self.spec.runAfter)] == [has(oldSelf.spec.testRef), has(oldSelf.spec.testSpec), has(oldSelf.spec.rerunOf), has(oldSelf.spec.params), has(oldSelf.spec.timeouts), has(oldSelf.spec.retry), has(oldSelf.spec.queue), has(oldSelf.spec.concurrency), has(oldSelf.spec.unique), has(oldSelf.spec.runAfter)]",message="no field but cancel, priority and ttlAfterFinished can be added or removed: create a new TestRun"
// +kubebuilder:validation:XValidation:fieldPath=".spec",rule="self.status.phase == 'Finished' || !has(oldSelf.spec.cancel) || !oldSelf.spec.cancel || (has(self.spec.cancel) && self.spec.cancel)",message="cancel cannot be taken back: create a new TestRun"
// +kubebuilder:validation:XValidation:fieldPath=".spec.testSpec",rule="self.status.phase != oldSelf.status.phase || (has(self.status.conditions) && has(oldSelf.status.conditions) && self.status.conditions != oldSelf.status.conditions) || !has(self.spec.testSpec) || !has(oldSelf.spec.testSpec) || self.spec.testSpec == oldSelf.spec.testSpec",message="testSpec cannot be changed: create a new TestRun"
type TestRun struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec asks for the run.
	//
	// +required
	Spec TestRunSpec `json:"spec,omitzero"` //nolint:kubeapilinter // that it is not empty is a CEL rule, with a better sentence

	// status is what the controller says of the run.
	//
	// +optional
	// +kubebuilder:default={phase: "Pending", conditions: {{type: "Pending", status: "True", reason: "Waiting", message: "No controller has reported on this run yet", lastTransitionTime: "1970-01-01T00:00:00Z"}, {type: "Succeeded", status: "Unknown", reason: "Waiting", message: "No controller has reported on this run yet", lastTransitionTime: "1970-01-01T00:00:00Z"}, {type: "Reconciling", status: "True", reason: "Waiting", message: "No controller has reported on this run yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	Status TestRunStatus `json:"status,omitzero"`
}

// TestRunList is a list of TestRuns.
//
// +kubebuilder:object:root=true
type TestRunList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []TestRun `json:"items"`
}

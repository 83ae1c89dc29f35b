package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestSpec defines a test: what to run, with which params, for how long.
//
// +kubebuilder:validation:XValidation:rule="has(self.template.spec) && size(self.template.spec.containers) > 0",message="template.spec needs at least one container: the test"
// +kubebuilder:validation:XValidation:rule="!has(self.template.spec) || !has(self.template.spec.restartPolicy) || self.template.spec.restartPolicy == 'Never'",message="restartPolicy must be Never or left out: a test is never restarted behind your back"
// +kubebuilder:validation:XValidation:rule="!has(self.template.spec) || self.template.spec.containers.all(c, !has(c.restartPolicyRules) && (!has(c.restartPolicy) || c.restartPolicy == 'Never'))",message="a container's restartPolicy must be Never or left out, and it has no restartPolicyRules: a test is never restarted behind your back"
// +kubebuilder:validation:XValidation:rule="!has(self.template.spec) || !has(self.template.spec.activeDeadlineSeconds)",message="activeDeadlineSeconds must be left out: set timeouts.run instead"
// +kubebuilder:validation:XValidation:rule="!has(self.container) || !has(self.template.spec) || self.template.spec.containers.exists(c, c.name == self.container)",message="container must be the name of one of template.spec.containers"
// +kubebuilder:validation:XValidation:rule="!has(self.results) || !has(self.results.format) || self.results.format in ['Auto', 'None'] || !has(self.template.spec) || !self.template.spec.containers.exists(c, (has(self.container) ? c.name == self.container : c == self.template.spec.containers[0]) && (!has(c.command) || size(c.command) == 0))",message="a results.format other than Auto and None needs a command in the test's container: an image's own entrypoint is run as it is, and its results are not read"
// +kubebuilder:validation:XValidation:rule="!has(self.template.metadata) || !has(self.template.metadata.annotations) || self.template.metadata.annotations.all(k, !k.startsWith('testrun.dev/') && !k.contains('.testrun.dev/'))",message="template.metadata.annotations must not hold annotations of testrun.dev: only the operator sets them"
// +kubebuilder:validation:XValidation:rule="!has(self.template.metadata) || !has(self.template.metadata.labels) || self.template.metadata.labels.all(k, !k.startsWith('testrun.dev/') && !k.contains('.testrun.dev/'))",message="template.metadata.labels must not hold labels of testrun.dev: only the operator sets them"
// +kubebuilder:validation:XValidation:rule="!has(self.template.spec) || (has(self.params) ? size(self.params) : 0) * (size(self.template.spec.containers) + (has(self.template.spec.initContainers) ? size(self.template.spec.initContainers) : 0)) + self.template.spec.containers.map(c, has(c.env) ? size(c.env) : 0).sum() + (has(self.template.spec.initContainers) ? self.template.spec.initContainers.map(c, has(c.env) ? size(c.env) : 0).sum() : 0) <= 4096",message="the containers have more than 4096 variables together, where each param counts once for each container: use fewer containers, params or env"
// +kubebuilder:validation:XValidation:rule="!has(self.template.spec) || self.template.spec.containers.map(c, (has(c.command) ? c.command.map(t, size(t)).sum() : 0) + (has(c.args) ? c.args.map(t, size(t)).sum() : 0) + (has(c.env) ? c.env.map(e, has(e.value) ? size(e.value) : 0).sum() : 0)).sum() + (has(self.template.spec.initContainers) ? self.template.spec.initContainers.map(c, (has(c.command) ? c.command.map(t, size(t)).sum() : 0) + (has(c.args) ? c.args.map(t, size(t)).sum() : 0) + (has(c.env) ? c.env.map(e, has(e.value) ? size(e.value) : 0).sum() : 0)).sum() : 0) <= 262144",message="command, args and the values of env hold more than 262144 characters in all containers together: put long text into a ConfigMap"
// +kubebuilder:validation:XValidation:rule="!has(self.concurrency) || self.concurrency.key.findAll('[$]([$]|[(][A-Za-z_][A-Za-z0-9_]*[)])').all(r, r == '$$' || (has(self.params) && self.params.exists(p, r == '$(' + p.name + ')')))",message="concurrency.key holds a $(NAME) that params does not define",messageExpression="'concurrency.key holds ' + self.concurrency.key.findAll('[$]([$]|[(][A-Za-z_][A-Za-z0-9_]*[)])').filter(r, r != '$$' && !(has(self.params) && self.params.exists(p, r == '$(' + p.name + ')')))[0] + ', which params does not define'"
type TestSpec struct {
	// description says to people what the test is for. Unset means no description.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// params are the values that a run may or must give. Each reaches every container of the pod as an environment
	// variable of that name, so that command and args can use it as $(NAME). It takes the place of a variable of that name
	// in the template. Unset means that the test takes none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Params []ParamSpec `json:"params,omitempty"`

	// template is the pod that runs the test, as in a Job. Its restartPolicy is always Never, its time limit is
	// timeouts.run, and a ServiceAccount's token is mounted only if it names a ServiceAccount.
	//
	// +required
	Template corev1.PodTemplateSpec `json:"template,omitzero"`

	// container is the name of the container that is the test: it decides the verdict. Unset means the first one.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`

	// timeouts limit how long a run may take. Unset means the default of each.
	//
	// +optional
	Timeouts Timeouts `json:"timeouts,omitzero"`

	// retry says which attempts follow one that did not pass. Unset means the default of each field.
	//
	// +optional
	Retry Retry `json:"retry,omitzero"`

	// queue is the name of the TestQueue in which the runs wait. Unset means default.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="no TestQueue can have this name: use lower case letters, digits, - and ., as in the name of the TestQueue"
	Queue string `json:"queue,omitempty"`

	// priority is that of the runs that have none of their own: the higher one starts first. Unset means the queue's.
	//
	// +optional
	// +kubebuilder:validation:Minimum=-1000000
	// +kubebuilder:validation:Maximum=1000000
	Priority *int32 `json:"priority,omitempty"`

	// concurrency limits how many runs with the same key run at once, whichever queues they use. Unset means that nothing but
	// the queue limits them.
	//
	// +optional
	Concurrency Concurrency `json:"concurrency,omitzero"`

	// results say how the test reports its cases. Unset means format Auto.
	//
	// +optional
	Results ResultsSpec `json:"results,omitzero"`

	// retention says which finished runs are deleted, as the Test says now and not as it did when they started. Unset means
	// none.
	//
	// +optional
	Retention Retention `json:"retention,omitzero"`
}

// ParamSpec defines one param of a test.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.required) && self.required && has(self.default))",message="a param is either required or has a default, not both"
// +kubebuilder:validation:XValidation:rule="!has(self.default) || !has(self.enum) || self.default in self.enum",message="default must be one of enum"
type ParamSpec struct {
	// name is the param's name and that of the environment variable which carries it: letters, digits and _, not starting
	// with a digit or with TESTRUN_.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",message="a param's name becomes an environment variable: use letters, digits and _, not starting with a digit"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('TESTRUN_')",message="names that start with TESTRUN_ are reserved"
	Name string `json:"name,omitempty"`

	// description says to people what the param is for. Unset means no description.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// default is the value for a run that gives none. Unset means that the environment variable is then absent.
	//
	// +optional
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=1024
	Default *string `json:"default,omitempty"`

	// required means that every run must give a value. Unset means that it need not.
	//
	// +optional
	Required *bool `json:"required,omitempty"`

	// enum lists the values allowed. Unset means any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=0
	// +kubebuilder:validation:items:MaxLength=256
	Enum []string `json:"enum,omitempty"`
}

// Timeouts limit the stages of a run. A duration is written as 90s, 10m or 1h30m and is at least 1s.
//
// +kubebuilder:validation:MinProperties=1
type Timeouts struct {
	// queue limits the time for which a run waits for its turn: in its TestQueue, for its concurrency key, and for Kueue. It
	// counts from the creation of the run, or from runAfter if that is later. A run that exceeds it ends with verdict Error,
	// reason QueueTimeout. Unset means no limit.
	//
	// +optional
	Queue *PositiveDuration `json:"queue,omitempty"`

	// start limits the time from the making of the attempt's Job until the test's container runs. A run that exceeds it ends
	// with verdict Error and the reason that Kubernetes gave. Unset means 10m.
	//
	// +optional
	Start *PositiveDuration `json:"start,omitempty"`

	// run limits the time from the moment the node accepts the pod until the pod's end. A run that exceeds it is stopped and
	// ends with verdict TimedOut; its pod and logs stay. Unset means 1h.
	//
	// +optional
	Run *PositiveDuration `json:"run,omitempty"`

	// unreachable limits the time for which a node may be silent while the test runs on it. What happens then is said by
	// retry.unreachable. Unset means 10m.
	//
	// +optional
	Unreachable *PositiveDuration `json:"unreachable,omitempty"`
}

// Test is a definition that any number of TestRuns can refer to. It does nothing by itself. Changing or deleting it does
// not touch runs that have started.
//
// +kubebuilder:object:root=true
// +kubebuilder:printcolumn:name="Description",type=string,JSONPath=`.spec.description`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name of a Test is at most 63 characters long: it becomes the label testrun.dev/test"
type Test struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the definition.
	//
	// +required
	Spec TestSpec `json:"spec,omitzero"`
}

// TestList is a list of Tests.
//
// +kubebuilder:object:root=true
type TestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []Test `json:"items"`
}

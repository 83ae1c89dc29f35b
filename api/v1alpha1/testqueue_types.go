package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultQueue is the name of the queue of runs that name none. It works without an object of that name; then its limit is a
// flag of the operator.
const DefaultQueue = "default"

// TestQueueSpec says who may start next, and how many may run at once.
type TestQueueSpec struct {
	// maxRunning is how many runs of the queue may run at once. A run counts from the creation of its first Job until it has
	// finished, also between two attempts. Unset means any number.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxRunning int32 `json:"maxRunning,omitempty"`

	// maxRunningPerNamespace is how many runs of one namespace may run at once. Unset means any number, within maxRunning.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxRunningPerNamespace int32 `json:"maxRunningPerNamespace,omitempty"`

	// maxPending is how many runs may wait in the queue. One more ends as Error, reason QueueFull. A run with a runAfter waits, and
	// counts, from that time on. Unset means any number.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaxPending int32 `json:"maxPending,omitempty"`

	// maxPendingPerNamespace is how many runs of one namespace may wait in the queue. One more ends as Error, reason QueueFull.
	// Unset means any number, within maxPending.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaxPendingPerNamespace int32 `json:"maxPendingPerNamespace,omitempty"`

	// suspend means that no run starts. Runs that run go on. Unset means false.
	//
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// startRate limits how fast runs start. Unset means that it does not.
	//
	// +optional
	StartRate StartRate `json:"startRate,omitzero"`

	// namespaces are those whose runs may use the queue; a run of another one waits with reason QueueForbidden. Unset means all.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Namespaces []string `json:"namespaces,omitempty"`

	// weights say how the starts are shared between the namespaces that have runs waiting: in proportion to their weights. A
	// namespace that is not named has weight 1. Unset means that all are equal.
	//
	// +optional
	// +listType=map
	// +listMapKey=namespace
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Weights []NamespaceWeight `json:"weights,omitempty"`

	// priority is that of runs which have none of their own, nor one of their Test. Unset means 0.
	//
	// +optional
	// +kubebuilder:validation:Minimum=-1000000
	// +kubebuilder:validation:Maximum=1000000
	Priority *int32 `json:"priority,omitempty"`

	// maxPriority is the highest priority that counts: a higher one counts as this. So no run waits behind others of higher
	// priority for more than maxPriority - its own priority times agingInterval. Unset means 100.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	MaxPriority *int32 `json:"maxPriority,omitempty"`

	// agingInterval is how long a run has to wait for its priority to count one more, so that none waits for ever. It is a
	// duration such as 30s or 10m. Unset means 10m.
	//
	// +optional
	AgingInterval *PositiveDuration `json:"agingInterval,omitempty"`
}

// StartRate is a number of starts in a time, such as 10 in 1m. So many may come at once; then it is one each 6s.
//
// +kubebuilder:validation:MinProperties=1
type StartRate struct {
	// starts is the number of starts.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Starts int32 `json:"starts,omitempty"`

	// per is the time, such as 1s or 1m. Unset means 1m.
	//
	// +optional
	Per *PositiveDuration `json:"per,omitempty"`
}

// NamespaceWeight is the weight of a namespace.
type NamespaceWeight struct {
	// namespace is the name of the namespace.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// weight is its share, compared with the weights of the others.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Weight int32 `json:"weight,omitempty"`
}

// TestQueueStatus is what the operator says of a queue. It is written every few seconds at most: the metrics have the
// figures of this moment.
type TestQueueStatus struct {
	// running is the number of runs that run.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Running *int32 `json:"running,omitempty"`

	// pending is the number of runs that wait.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Pending *int32 `json:"pending,omitempty"`

	// oldestPending is when the run was created that has waited for the longest. Unset if none waits.
	//
	// +optional
	OldestPending *metav1.Time `json:"oldestPending,omitempty"`
}

// TestQueue is where runs wait until they may start. It belongs to no namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=tq
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=`.status.running`,description="Runs that run"
// +kubebuilder:printcolumn:name="Limit",type=integer,JSONPath=`.spec.maxRunning`,description="How many may run at once; empty if any number may"
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=`.status.pending`,description="Runs that wait"
// +kubebuilder:printcolumn:name="Oldest",type=date,JSONPath=`.status.oldestPending`,description="For how long the oldest of them has waited"
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`,description="Whether no run starts"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name of a TestQueue is at most 63 characters long: it becomes a label of the metrics"
type TestQueue struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says who may start. Left empty, everybody may.
	//
	// +optional
	Spec TestQueueSpec `json:"spec,omitzero"` //nolint:kubeapilinter // an empty one is a queue without limits

	// status is what the operator says of the queue.
	//
	// +optional
	Status TestQueueStatus `json:"status,omitzero"` //nolint:kubeapilinter // the operator writes all of it
}

// TestQueueList is a list of TestQueues.
//
// +kubebuilder:object:root=true
type TestQueueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []TestQueue `json:"items"`
}

package v1alpha1

// Retry says how many attempts a run has, by the cause for which one ended. What is not the test's failure does not spend the
// attempts that it has for failures, and the other way round.
//
// +kubebuilder:validation:MinProperties=1
type Retry struct {
	// failure is how many attempts may follow because the test failed: its exit code or its cases said so, it ran out of
	// memory, or timeouts.run was over. Unset means 0.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	Failure *int32 `json:"failure,omitempty"`

	// disruption is how many attempts may follow because the cluster ended one: eviction, preemption, drain, a lost node.
	// Unset means 2.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	Disruption *int32 `json:"disruption,omitempty"`

	// unreachable says what to do about a node that has been silent for timeouts.unreachable while the test runs on it. Wait
	// ends the run: whether the test still runs there is not known, so that no other attempt may begin. Replace begins another
	// attempt, paid from disruption, and the two may run at the same time for a while. Unset means Wait.
	//
	// +optional
	Unreachable UnreachablePolicy `json:"unreachable,omitempty"`

	// backoff says how long to wait before the next attempt. Unset means the default of each field.
	//
	// +optional
	Backoff Backoff `json:"backoff,omitzero"`

	// exitCodes gives a meaning to exit codes of the test. Unset means that every exit code but 0 is a failure.
	//
	// +optional
	ExitCodes ExitCodes `json:"exitCodes,omitzero"`
}

// UnreachablePolicy says what to do about an attempt whose node is silent.
//
// +kubebuilder:validation:Enum=Wait;Replace
type UnreachablePolicy string

// The policies for an attempt whose node is silent.
const (
	// UnreachableWait never begins an attempt while the one before may still run.
	UnreachableWait UnreachablePolicy = "Wait"
	// UnreachableReplace begins another attempt although the one before may still run.
	UnreachableReplace UnreachablePolicy = "Replace"
)

// ExitCodes gives a meaning to exit codes of the test.
//
// +kubebuilder:validation:MinProperties=1
type ExitCodes struct {
	// permanent are the exit codes of a failure that another attempt cannot mend: none follows. Unset means none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=255
	Permanent []int32 `json:"permanent,omitempty"`

	// infrastructure are the exit codes with which the test says that not it failed, but what it needs. The verdict is then
	// Error, and another attempt is paid from disruption. Unset means none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=255
	Infrastructure []int32 `json:"infrastructure,omitempty"`
}

// Backoff is the time from the end of an attempt to the next one: base after the first, factor times as much after each
// further one, and cap at most.
//
// +kubebuilder:validation:MinProperties=1
type Backoff struct {
	// base is the time after the first attempt, such as 0s, 30s or 5m. Unset means 10s.
	//
	// +optional
	Base *Duration `json:"base,omitempty"`

	// factor is by how much the time grows with each further attempt. Unset means 2.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Factor int32 `json:"factor,omitempty"`

	// cap is the longest time. Unset means 5m.
	//
	// +optional
	Cap *Duration `json:"cap,omitempty"`
}

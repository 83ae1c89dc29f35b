package v1alpha1

// Retention says which finished runs are deleted, with their Jobs, pods and logs. A run that carries the annotation
// testrun.dev/pinned is never deleted.
//
// +kubebuilder:validation:MinProperties=1
type Retention struct {
	// keep limits how many finished runs of the Test are kept. Unset means any number.
	//
	// +optional
	Keep Keep `json:"keep,omitzero"`

	// ttl limits how long a run is kept once it has finished. Unset means for ever.
	//
	// +optional
	TTL TTL `json:"ttl,omitzero"`
}

// Keep is how many finished runs of a Test are kept: the last ones. Pinned runs are kept besides, and not counted.
//
// +kubebuilder:validation:MinProperties=1
type Keep struct {
	// passed is how many of the runs that passed are kept. 0 keeps none. Unset means all.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	Passed *int32 `json:"passed,omitempty"`

	// notPassed is how many of the runs with any other verdict are kept. 0 keeps none. Unset means all.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	NotPassed *int32 `json:"notPassed,omitempty"`
}

// TTL is how long a run is kept once it has finished, by its verdict. The run's own ttlAfterFinished goes before it.
//
// +kubebuilder:validation:MinProperties=1
type TTL struct {
	// passed is how long a run is kept that passed, such as 0s, 30m or 24h. Unset means for ever.
	//
	// +optional
	Passed *Duration `json:"passed,omitempty"`

	// failed is how long a run is kept whose test failed. Unset means for ever.
	//
	// +optional
	Failed *Duration `json:"failed,omitempty"`

	// error is how long a run is kept that could not be run, or was lost. Unset means for ever.
	//
	// +optional
	Error *Duration `json:"error,omitempty"`

	// timedOut is how long a run is kept that ran for too long. Unset means for ever.
	//
	// +optional
	TimedOut *Duration `json:"timedOut,omitempty"`

	// cancelled is how long a run is kept that somebody cancelled. Unset means for ever.
	//
	// +optional
	Cancelled *Duration `json:"cancelled,omitempty"`
}

package v1alpha1

// Concurrency limits how many runs of a namespace that share a key run at once.
type Concurrency struct {
	// key is what the runs share, such as the name of an environment. It may hold params of the test as $(NAME); $$ stands
	// for $.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.findAll('[$]([$]|[(][^()$]*[)])?').all(r, r == '$$' || r.matches('^[$][(][A-Za-z_][A-Za-z0-9_]*[)]$'))",message="write a param as $(NAME), and $$ for a $"
	Key string `json:"key,omitempty"`

	// max is how many of them run at once. Unset means 1.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Max int32 `json:"max,omitempty"`

	// onConflict says what becomes of one more run. Unset means Wait.
	//
	// +optional
	OnConflict ConcurrencyPolicy `json:"onConflict,omitempty"`
}

// ConcurrencyPolicy says what becomes of one more run than a concurrency key allows.
//
// +kubebuilder:validation:Enum=Wait;Refuse;ReplacePending;ReplaceRunning
type ConcurrencyPolicy string

// The policies for one more run than a concurrency key allows.
const (
	// ConcurrencyWait lets it wait until one of the others has ended.
	ConcurrencyWait ConcurrencyPolicy = "Wait"
	// ConcurrencyRefuse ends it: Cancelled, ConcurrencyRefused.
	ConcurrencyRefuse ConcurrencyPolicy = "Refuse"
	// ConcurrencyReplacePending lets it wait in the place of those with its key that wait: they end as Cancelled, Replaced.
	ConcurrencyReplacePending ConcurrencyPolicy = "ReplacePending"
	// ConcurrencyReplaceRunning also stops as many of those that run as it takes for it to start.
	ConcurrencyReplaceRunning ConcurrencyPolicy = "ReplaceRunning"
)

// Unique makes sure that a namespace has one run with a key at a time, or in a window of time.
type Unique struct {
	// key is what makes two runs the same, such as the name of a commit.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`

	// window is for how long after its end a run still counts as the same, such as 1h. It counts as long as the run exists.
	// Unset means that only runs that have not finished count.
	//
	// +optional
	Window *Duration `json:"window,omitempty"`

	// onConflict says which of two is kept. Unset means KeepFirst.
	//
	// +optional
	OnConflict UniquePolicy `json:"onConflict,omitempty"`
}

// UniquePolicy says which of two runs with the same unique key is kept.
//
// +kubebuilder:validation:Enum=KeepFirst;KeepLast
type UniquePolicy string

// The policies for two runs with the same unique key.
const (
	// UniqueKeepFirst ends the later one: Cancelled, Duplicate.
	UniqueKeepFirst UniquePolicy = "KeepFirst"
	// UniqueKeepLast ends the earlier one, and stops it if it runs: Cancelled, Duplicate.
	UniqueKeepLast UniquePolicy = "KeepLast"
)

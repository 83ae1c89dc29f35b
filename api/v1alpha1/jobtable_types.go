package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// JobTableSpec says which table holds the jobs, what its columns mean, and which run a row becomes.
//
// +kubebuilder:validation:XValidation:rule="has(self.columns.created) == has(oldSelf.columns.created) && (!has(self.columns.created) || self.columns.created == oldSelf.columns.created)",message="columns.created cannot be changed, since it is a part of what a row is: create a new JobTable"
type JobTableSpec struct {
	// database is the name of the file that holds the URL of the database, a key of the Secret that is mounted into the
	// program's pod.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="use lower case letters, digits and -, as in the key of the Secret"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="database cannot be changed: create a new JobTable"
	Database string `json:"database,omitempty"`

	// table is the name of the table, or schema.table.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[^.\\\\x00-\\\\x1f]{1,63}([.][^.\\\\x00-\\\\x1f]{1,63})?$')",message="write table or schema.table, as the database knows it and without quotes"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="table cannot be changed: create a new JobTable"
	Table string `json:"table,omitempty"`

	// columns name the columns of the table.
	//
	// +required
	Columns JobTableColumns `json:"columns,omitzero"`

	// match selects rows by what is in their columns: a row is taken only if all agree. Unset means all rows.
	//
	// +optional
	// +listType=map
	// +listMapKey=column
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Match []ColumnMatch `json:"match,omitempty"`

	// statuses are the words in the column of the status. Unset means pending, in_progress and finished, and that no word cancels.
	//
	// +optional
	// +kubebuilder:default={pending: "pending", inProgress: "in_progress", finished: "finished"}
	Statuses JobTableStatuses `json:"statuses,omitzero"` //nolint:kubeapilinter // the schema fills it in

	// run says what run a row becomes.
	//
	// +required
	Run JobTableRun `json:"run,omitzero"`

	// data says what is written into the column of the data. Unset means the default of each field.
	//
	// +optional
	// +kubebuilder:default={format: "Steps", maxBytes: 65536}
	Data JobTableData `json:"data,omitzero"` //nolint:kubeapilinter // the schema fills it in

	// listen has PostgreSQL say at once that there is a new row, if the table has the trigger for it (jobtable trigger). Unset
	// means true. Through a pooler such as PgBouncer nothing can be heard: the program notices, and polls.
	//
	// +optional
	Listen *bool `json:"listen,omitempty"`

	// pollInterval is the time from one look at the table to the next. Unset means 5s.
	//
	// +optional
	PollInterval *PositiveDuration `json:"pollInterval,omitempty"`

	// maxRuns is how many runs of the table that have not finished may exist at once. Further rows stay pending in the table. Unset
	// means 1000.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxRuns int32 `json:"maxRuns,omitempty"`

	// suspend means that no row becomes a run. Runs that exist go on, and their rows follow. Unset means false.
	//
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// JobTableColumns are the names of the columns that have a meaning.
//
// +kubebuilder:validation:XValidation:rule="self.id != self.status && (!has(self.created) || !(self.created in [self.id, self.status])) && (!has(self.data) || !(self.data in [self.id, self.status]) && (!has(self.created) || self.data != self.created)) && (!has(self.verdict) || !(self.verdict in [self.id, self.status]) && (!has(self.created) || self.verdict != self.created) && (!has(self.data) || self.verdict != self.data))",message="each column has one meaning: name different ones"
type JobTableColumns struct {
	// id is the column of the key, whose value no two rows share.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="columns.id cannot be changed: create a new JobTable"
	ID string `json:"id,omitempty"`

	// status is the column of the status.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Status string `json:"status,omitempty"`

	// created is the column that says when the row was made. Together with the key it tells a row from a later one that has the
	// same key. Unset means that no key is ever used twice.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Created string `json:"created,omitempty"`

	// data is the column into which the steps are written. Unset means that they are not.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Data string `json:"data,omitempty"`

	// verdict is the column into which the verdict is written. Unset means that only data has it.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Verdict string `json:"verdict,omitempty"`
}

// ColumnMatch selects rows by the value of one column.
type ColumnMatch struct {
	// column is the name of the column.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Column string `json:"column,omitempty"`

	// values are those that match, written as text.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=0
	// +kubebuilder:validation:items:MaxLength=256
	Values []string `json:"values,omitempty"`
}

// JobTableStatuses are the words in the column of the status.
//
// +kubebuilder:validation:XValidation:rule="self.pending != self.inProgress && self.inProgress != self.finished && self.finished != self.pending && (!has(self.cancel) || !(self.cancel in [self.pending, self.inProgress, self.finished]))",message="each word has one meaning: use different ones"
type JobTableStatuses struct {
	// pending is what the application writes. Unset means pending.
	//
	// +optional
	// +kubebuilder:default=pending
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Pending string `json:"pending,omitempty"`

	// inProgress is written when the test runs. Unset means in_progress.
	//
	// +optional
	// +kubebuilder:default=in_progress
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	InProgress string `json:"inProgress,omitempty"`

	// finished is written when the run has ended, whatever its verdict. Unset means finished.
	//
	// +optional
	// +kubebuilder:default=finished
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Finished string `json:"finished,omitempty"`

	// cancel is what the application writes to cancel a row. The row then ends as finished, verdict Cancelled. Unset means that no
	// word cancels.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Cancel string `json:"cancel,omitempty"`
}

// JobTableRun is the run that a row becomes.
type JobTableRun struct {
	// testRef names the Test.
	//
	// +required
	TestRef RowTestReference `json:"testRef,omitzero"`

	// params give the Test's params values from columns. Unset means the default of each.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Params []ColumnParam `json:"params,omitempty"`

	// queue is the name of the TestQueue in which the run waits. It may hold columns as $(column). Unset means the Test's own.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.findAll('[$]([$]|[(][^()$]*[)])?').all(r, r == '$$' || r.matches('^[$][(][^()$]{1,63}[)]$'))",message="write a column as $(column), and $$ for a $"
	Queue string `json:"queue,omitempty"`

	// priority decides which run starts first of those that wait. Unset means the Test's own.
	//
	// +optional
	// +kubebuilder:validation:Minimum=-1000000
	// +kubebuilder:validation:Maximum=1000000
	Priority *int32 `json:"priority,omitempty"`

	// ttlAfterFinished is how long the run is kept once it has finished and its row says so. Unset means what retention.ttl of the
	// Test says.
	//
	// +optional
	TTLAfterFinished *Duration `json:"ttlAfterFinished,omitempty"`
}

// RowTestReference names a Test of the JobTable's own namespace.
type RowTestReference struct {
	// name is the name of the Test. It may hold columns as $(column); $$ stands for $.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.findAll('[$]([$]|[(][^()$]*[)])?').all(r, r == '$$' || r.matches('^[$][(][^()$]{1,63}[)]$'))",message="write a column as $(column), and $$ for a $"
	Name string `json:"name,omitempty"`
}

// ColumnParam gives a param the value of a column.
type ColumnParam struct {
	// name is the name of the param.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// column is the name of the column. A row in which it is NULL gives no value.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Column string `json:"column,omitempty"`
}

// JobTableData says what is written into the column of the data.
type JobTableData struct {
	// format is Steps, a JSON object with the verdict and the steps, or StepList, a JSON list of the steps alone. Unset means Steps.
	//
	// +optional
	// +kubebuilder:default=Steps
	Format JobTableDataFormat `json:"format,omitempty"`

	// maxBytes is how long it may be. Steps that passed are left out first. A column that holds less is respected without this. Unset
	// means 65536.
	//
	// +optional
	// +kubebuilder:default=65536
	// +kubebuilder:validation:Minimum=256
	// +kubebuilder:validation:Maximum=1048576
	MaxBytes int32 `json:"maxBytes,omitempty"`
}

// JobTableDataFormat says how steps are written.
//
// +kubebuilder:validation:Enum=Steps;StepList
type JobTableDataFormat string

// The formats of the data.
const (
	// JobTableDataSteps is a JSON object with the verdict and the steps.
	JobTableDataSteps JobTableDataFormat = "Steps"
	// JobTableDataStepList is a JSON list of the steps.
	JobTableDataStepList JobTableDataFormat = "StepList"
)

// JobTableStatus is what the program says of a table. It is written every few seconds at most.
//
// +kubebuilder:validation:MinProperties=1
type JobTableStatus struct {
	// observedGeneration is the metadata.generation that the rest of the status is about.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, which says whether rows become runs, and Indexed, which says whether the table has the index that a look
	// at it needs.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// table is the hash of the database's own name for the table: two JobTables with the same one are about the same table.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Table string `json:"table,omitempty"`

	// server is the kind and the version of the database.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Server string `json:"server,omitempty"`

	// pending is how many rows are pending; 100000 stands for more, too.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Pending *int32 `json:"pending,omitempty"`

	// inProgress is how many rows are in progress, or are being cancelled; 100000 stands for more, too.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	InProgress *int32 `json:"inProgress,omitempty"`

	// oldestPending is when the pending row with the lowest key was made. Unset if none is pending, or if no column says so.
	//
	// +optional
	OldestPending *metav1.Time `json:"oldestPending,omitempty"`

	// runs is how many runs of the table exist that have not finished.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Runs *int32 `json:"runs,omitempty"`
}

// JobTable makes the rows of an application's own table into runs, and writes back how they ended.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=jt
// +kubebuilder:printcolumn:name="Table",type=string,JSONPath=`.spec.table`,description="The table"
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=`.status.pending`,description="Rows that are pending"
// +kubebuilder:printcolumn:name="In progress",type=integer,JSONPath=`.status.inProgress`,description="Rows that are in progress"
// +kubebuilder:printcolumn:name="Lag",type=date,JSONPath=`.status.oldestPending`,description="For how long the first pending row has waited"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether rows become runs"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Why; describe says more"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name of a JobTable is at most 63 characters long: it becomes the label testrun.dev/job-table"
type JobTable struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which table it is, and what its rows become.
	//
	// +required
	Spec JobTableSpec `json:"spec,omitzero"`

	// status is what the program says of the table.
	//
	// +optional
	Status JobTableStatus `json:"status,omitzero"`
}

// JobTableList is a list of JobTables.
//
// +kubebuilder:object:root=true
type JobTableList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []JobTable `json:"items"`
}

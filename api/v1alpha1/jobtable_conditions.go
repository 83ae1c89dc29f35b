package v1alpha1

// LabelJobTable on a run holds the name of the JobTable one of whose rows it is.
const LabelJobTable = "testrun.dev/job-table"

// LabelOpenRow on a run is "true" until its row says that it has finished.
const LabelOpenRow = "testrun.dev/open-row"

// AnnotationRow on a run says which row it is: its database, table, key and time, as JSON.
const AnnotationRow = "testrun.dev/row"

// PinnedByJobTable is the value of the annotation testrun.dev/pinned on a run whose row does not say yet that it has finished.
const PinnedByJobTable = "until its row says finished"

// Types of the conditions of a JobTable.
const (
	// ConditionReady is True while rows become runs, and runs become rows.
	ConditionReady = "Ready"
	// ConditionIndexed is True if the table has an index by which the rows that have not finished are found.
	ConditionIndexed = "Indexed"
)

// Reasons of the condition Ready of a JobTable.
const (
	// ReasonWorking means that all is well.
	ReasonWorking = "Working"
	// ReasonSuspended means that spec.suspend is set: no row becomes a run.
	ReasonSuspended = "Suspended"
	// ReasonDatabaseNotFound means that the program has no file of the name in spec.database.
	ReasonDatabaseNotFound = "DatabaseNotFound"
	// ReasonDatabaseInvalid means that the file holds no URL of a database.
	ReasonDatabaseInvalid = "DatabaseInvalid"
	// ReasonDatabaseUnreachable means that the database does not answer.
	ReasonDatabaseUnreachable = "DatabaseUnreachable"
	// ReasonLoginRefused means that the database knows no such user, password or database.
	ReasonLoginRefused = "LoginRefused"
	// ReasonDatabaseTooOld means that the version of the database lacks something that is needed.
	ReasonDatabaseTooOld = "DatabaseTooOld"
	// ReasonTableNotFound means that there is no such table, or that the user may not see it.
	ReasonTableNotFound = "TableNotFound"
	// ReasonColumnNotFound means that the table lacks a column that the JobTable names.
	ReasonColumnNotFound = "ColumnNotFound"
	// ReasonWrongType means that a column has a type that cannot hold what it is to hold.
	ReasonWrongType = "WrongType"
	// ReasonKeyNotUnique means that two rows may have the same key.
	ReasonKeyNotUnique = "KeyNotUnique"
	// ReasonValueTooLong means that a column is too short for what is to be written into it.
	ReasonValueTooLong = "ValueTooLong"
	// ReasonCreatedChanges means that the database changes the column created whenever a row changes.
	ReasonCreatedChanges = "CreatedChanges"
	// ReasonPermissionDenied means that the user lacks a right.
	ReasonPermissionDenied = "PermissionDenied"
	// ReasonReadOnly means that the database takes no writes: it is a replica, for one.
	ReasonReadOnly = "ReadOnly"
	// ReasonTableLocked means that somebody has locked the table.
	ReasonTableLocked = "TableLocked"
	// ReasonTableTaken means that an older JobTable takes the same rows.
	ReasonTableTaken = "TableTaken"
	// ReasonRowsRefused means that the database refuses to change some rows.
	ReasonRowsRefused = "RowsRefused"
	// ReasonRunsRefused means that the API server refuses runs for now: a quota is full, or a right is missing.
	ReasonRunsRefused = "RunsRefused"
	// ReasonDatabaseFailed means that the database answered with another error, which the message quotes.
	ReasonDatabaseFailed = "DatabaseFailed"
)

// Reasons of the condition Indexed of a JobTable.
const (
	// ReasonIndexFound means that there is such an index.
	ReasonIndexFound = "IndexFound"
	// ReasonIndexMissing means that there is none, so that each look at the table reads all of it.
	ReasonIndexMissing = "IndexMissing"
)

// Reasons in the data of a row that ended without a verdict of its run.
const (
	// ReasonRunDeleted means that somebody deleted the run of the row. Verdict Error.
	ReasonRunDeleted = "RunDeleted"
	// ReasonInvalidRow means that the values of the row make no run. Verdict Error.
	ReasonInvalidRow = "InvalidRow"
	// ReasonRunNameTaken means that another run has the name that the row's run needs. Verdict Error.
	ReasonRunNameTaken = "RunNameTaken"
)

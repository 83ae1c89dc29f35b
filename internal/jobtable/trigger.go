package jobtable

import (
	"cmp"
	"errors"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// Trigger is the SQL of the trigger with which PostgreSQL says at once that the table has news. The JobTable may come from a file, in which
// the schema's defaults are missing.
func Trigger(table *v1alpha1.JobTable) (string, error) {
	m := mappingOf(table)
	if m.Table == "" || m.Status == "" {
		return "", errors.New("the JobTable is not whole: it needs spec.table and spec.columns.status")
	}
	m.Pending = cmp.Or(m.Pending, "pending")
	return rows.Trigger(m), nil
}

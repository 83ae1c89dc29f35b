package api

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// jobTable is the smallest spec of a JobTable.
const jobTable = `{database: shop, table: job, columns: {id: id, status: status}, run: {testRef: {name: unit}}}`

// with is the smallest spec, in which one text stands for another.
func with(old, replacement string) string { return strings.Replace(jobTable, old, replacement, 1) }

const (
	oneMeaning  = `each column has one meaning: name different ones`
	oneWord     = `each word has one meaning: use different ones`
	writeColumn = `write a column as $(column), and $$ for a $`
	writeTable  = `write table or schema.table, as the database knows it and without quotes`
)

var jobTableRefusals = []refusal{
	{"a database that leads out of its folder", jobTable, with("database: shop", "database: ../etc"), `spec.database: Invalid value: "../etc": use lower case letters, digits and -, as in the key of the Secret`},
	{"a table of three parts", with("table: job", "table: public.job"), with("table: job", "table: a.b.c"), `spec.table: Invalid value: "a.b.c": ` + writeTable},
	{"no table", jobTable, with("table: job, ", ""), `spec.table: Required value`},
	{"a column with two meanings", jobTable, with("status: status", "status: id"), `spec.columns: Invalid value: ` + oneMeaning},
	{"data in the column of the status", with("status: status", "status: status, data: data"), with("status: status", "status: status, data: status"), `spec.columns: Invalid value: ` + oneMeaning},
	{"a verdict in the column of the data", with("status: status", "status: status, data: data, verdict: verdict"), with("status: status", "status: status, data: data, verdict: data"), `spec.columns: Invalid value: ` + oneMeaning},
	{"a word with two meanings", with("run:", "statuses: {pending: new}, run:"), with("run:", "statuses: {pending: finished}, run:"), `spec.statuses: Invalid value: ` + oneWord},
	{"a word that cancels and ends", with("run:", "statuses: {cancel: cancelled}, run:"), with("run:", "statuses: {cancel: finished}, run:"), `spec.statuses: Invalid value: ` + oneWord},
	{"a reference without a name", with("name: unit", "name: $(type)"), with("name: unit", "name: $()"), `spec.run.testRef.name: Invalid value: "$()": ` + writeColumn},
	{"a $ alone", with("name: unit", "name: a$$b"), with("name: unit", "name: a$b"), `spec.run.testRef.name: Invalid value: "a$b": ` + writeColumn},
	{"a format that is unknown", with("run:", "data: {format: StepList}, run:"), with("run:", "data: {format: XML}, run:"), `spec.data.format: Unsupported value: "XML": supported values: "Steps", "StepList"`},
	{"data of no length", with("run:", "data: {maxBytes: 256}, run:"), with("run:", "data: {maxBytes: 1}, run:"), `spec.data.maxBytes: Invalid value: 1: spec.data.maxBytes in body should be greater than or equal to 256`},
	{"a queue with a $ alone", with("unit}}", "unit}, queue: $(type)}"), with("unit}}", "unit}, queue: $type}"), `spec.run.queue: Invalid value: "$type": ` + writeColumn},
	{"a TTL in days", with("unit}}", "unit}, ttlAfterFinished: 24h}"), with("unit}}", "unit}, ttlAfterFinished: 1d}"), `spec.run.ttlAfterFinished: Invalid value: "1d": ` + badDuration},
	{"a look every moment", with("run:", "pollInterval: 1s, run:"), with("run:", "pollInterval: 0s, run:"), `spec.pollInterval: Invalid value: "0s": ` + badTimeout},
}

func TestABadJobTableIsRefused(t *testing.T) {
	for _, c := range jobTableRefusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkRefusal(t, "JobTable", c)
		})
	}
}

// jobTableChanges are what the API server says of each field that says what a row is, when somebody changes it.
var jobTableChanges = map[string]string{
	"database":        `spec.database: Invalid value: database cannot be changed: create a new JobTable`,
	"table":           `spec.table: Invalid value: table cannot be changed: create a new JobTable`,
	"columns.id":      `spec.columns.id: Invalid value: columns.id cannot be changed: create a new JobTable`,
	"columns.created": `spec: Invalid value: columns.created cannot be changed, since it is a part of what a row is: create a new JobTable`,
}

// What a row is stays what it is: else its runs would be those of other rows.
func TestWhatARowIsCannotBeChanged(t *testing.T) {
	for field, want := range jobTableChanges {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			obj := object(t, "JobTable", jobTable)
			if err := apiserver.Client.Create(t.Context(), obj); err != nil {
				t.Fatal(err)
			}
			if err := unstructured.SetNestedField(obj.Object, "other", append([]string{"spec"}, strings.Split(field, ".")...)...); err != nil {
				t.Fatal(err)
			}
			sameSentences(t, quotingNothing(complaints(t, apiserver.Client.Update(t.Context(), obj))), want)
		})
	}
}

// quotingNothing are sentences without the values that they quote.
func quotingNothing(sentences []string) []string {
	var bare []string
	for _, sentence := range sentences {
		bare = append(bare, strings.Replace(sentence, `"other": `, "", 1))
	}
	return bare
}

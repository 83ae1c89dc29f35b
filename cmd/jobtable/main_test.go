package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

const table = `
apiVersion: testrun.dev/v1alpha1
kind: JobTable
metadata:
  name: shop
spec:
  database: shop
  table: job
  columns:
    id: id
    status: status
  run:
    testRef:
      name: smoke
`

const other = `
apiVersion: v1
kind: Secret
metadata:
  name: testrun-jobtable
`

func TestTheTriggersOfAFileArePrinted(t *testing.T) {
	second := strings.ReplaceAll(table, "table: job", "table: other.job")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"trigger", "-"}, strings.NewReader(other+"---"+table+"---"+second), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`CREATE TRIGGER testrun_job_news AFTER INSERT OR UPDATE OF "status" ON "job"` + "\n",
		`CREATE TRIGGER testrun_job_news AFTER INSERT OR UPDATE OF "status" ON "other"."job"` + "\n",
		`IN ('pending')`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}

// As kubectl get jobtables -o yaml prints it.
func TestTheTriggersOfAListArePrinted(t *testing.T) {
	list := "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(table), "\n", "\n  ") + "\n"
	var out bytes.Buffer
	if err := run(t.Context(), []string{"trigger", "-"}, strings.NewReader(list), &out); err != nil || !strings.Contains(out.String(), `ON "job"`) {
		t.Errorf("it printed %q: %v", out.String(), err)
	}
}

func TestAMistakeOnTheCommandLineIsASentence(t *testing.T) {
	mistakes := map[string]struct {
		args, in string
		isUsage  bool
		says     string
	}{
		"no file":                    {"trigger", "", true, "one file, or - for standard input"},
		"a file that is not there":   {"trigger nowhere.yaml", "", false, "open nowhere.yaml: no such file"},
		"no JobTable":                {"trigger -", other, false, "holds no JobTable"},
		"nothing at all":             {"trigger -", "", false, "holds no JobTable"},
		"no YAML":                    {"trigger -", "SELECT *: 1: 2", false, "no YAML"},
		"a field that is misspelt":   {"trigger -", strings.Replace(table, "status:", "staus:", 1), false, `unknown field "staus"`},
		"one of two is wrong":        {"trigger -", table + "---" + strings.Replace(table, "status:", "staus:", 1), false, `unknown field "staus"`},
		"a column that is missing":   {"trigger -", strings.Replace(table, "    status: status\n", "", 1), false, "needs spec.table and spec.columns.status"},
		"a command that is not":      {"triger -", "", true, `unexpected argument "triger"`},
		"a flag that is not":         {"--databses=x", "", true, "-databses"},
		"no namespace":               {"", "", true, "--namespace is needed outside a cluster"},
		"a value that is no boolean": {"--leader-elect=perhaps", "", true, "leader-elect"},
	}
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), strings.Fields(mistake.args), strings.NewReader(mistake.in), &out)
			if err == nil || !strings.Contains(err.Error(), mistake.says) || errors.Is(err, errUsage) != mistake.isUsage {
				t.Errorf("it says %v, want %q", err, mistake.says)
			}
			if out.Len() > 0 {
				t.Errorf("it printed %q", out.String())
			}
		})
	}
}

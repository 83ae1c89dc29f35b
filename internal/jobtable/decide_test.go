package jobtable

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

func inPhase(phase v1alpha1.Phase) *v1alpha1.TestRun {
	return &v1alpha1.TestRun{Status: v1alpha1.TestRunStatus{Phase: phase}}
}

func TestWhatFollowsFromARowAndItsRun(t *testing.T) {
	pending, running, ended := inPhase(v1alpha1.PhasePending), inPhase(v1alpha1.PhaseInProgress), inPhase(v1alpha1.PhaseFinished)
	for _, c := range []struct {
		name  string
		state rows.State
		run   *v1alpha1.TestRun
		want  action
	}{
		{"a pending row without a run gets one", rows.Pending, nil, create},
		{"a pending row whose run waits is left", rows.Pending, pending, nothing},
		{"a pending row whose run runs says so", rows.Pending, running, showProgress},
		{"a pending row whose run has ended says so", rows.Pending, ended, showEnd},
		{"a row in progress whose run is gone ends", rows.InProgress, nil, endDeleted},
		{"a row in progress never goes back", rows.InProgress, pending, nothing},
		{"a row in progress whose run runs is left", rows.InProgress, running, nothing},
		{"a row in progress whose run has ended says so", rows.InProgress, ended, showEnd},
		{"a cancelled row without a run ends", rows.Cancel, nil, endCancelled},
		{"a cancelled row has its waiting run cancelled", rows.Cancel, pending, cancelRun},
		{"a cancelled row has its run cancelled", rows.Cancel, running, cancelRun},
		{"a cancelled row whose run has ended says how", rows.Cancel, ended, showEnd},
		{"a finished row lets retention have its run", rows.Finished, ended, release},
		{"a finished row whose run goes on is left", rows.Finished, running, nothing},
		{"a finished row without a run is left", rows.Finished, nil, nothing},
		{"a foreign word is left", rows.Other, running, nothing},
		{"a foreign word lets retention have the run", rows.Other, ended, leave},
		{"a foreign word without a run is left", rows.Other, nil, nothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decide(c.state, c.run); got != c.want {
				t.Errorf("it is %d, want %d", got, c.want)
			}
		})
	}
	if decideWithoutRow(running) != cancelRun || decideWithoutRow(pending) != cancelRun || decideWithoutRow(ended) != release {
		t.Error("a run whose row is gone is cancelled, and then left to retention")
	}
}

func TestTheNameOfARunIsOneForEachRow(t *testing.T) {
	names := map[string]reference{}
	for _, database := range []string{"shop", "store"} {
		for _, table := range []string{"public.job", "other.job", "public.job_2", "public.a_table_with_a_very_long_name_that_goes_on_and_on_and_on"} {
			for _, id := range []string{"1", "11", "A", "a", "ä", "-", strings.Repeat("x", 200), strings.Repeat("x", 201), "01234567-89ab-cdef-0123-456789abcdef"} {
				for _, created := range []string{"", "2026-01-31", "2026-02-01"} {
					ref := reference{Database: database, Table: table, ID: id, Created: created, Server: "any"}
					name := ref.name()
					if other, taken := names[name]; taken {
						t.Errorf("%v and %v are both %s", ref, other, name)
					}
					names[name] = ref
					if len(name) > maxName || !strings.Contains(name, "-") || name != strings.ToLower(name) {
						t.Errorf("%q is no name of a run", name)
					}
					ref.Server = "another"
					if ref.name() != name {
						t.Errorf("the name of %v depends on the server", ref)
					}
				}
			}
		}
	}
	if name := (reference{Database: "shop", Table: "public.job", ID: "42", Created: "2026"}).name(); !strings.HasPrefix(name, "job-42-") {
		t.Errorf("nobody finds row 42 of job by the name %s", name)
	}
}

func TestTheDataIsCutToItsLimitAndStaysJSON(t *testing.T) {
	run := inPhase(v1alpha1.PhaseFinished)
	run.Name = "job-1-0123456789"
	run.Status.Verdict = v1alpha1.VerdictCancelled
	run.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionSucceeded, Reason: "ServiceAccountNotFound", Message: strings.Repeat("größer 😀 \"\\\x00\n", 80),
	}}
	run.Status.Results = v1alpha1.Results{Summary: "1/50", Total: 50, Passed: 1}
	for n := range 50 {
		run.Status.Results.Cases = append(run.Status.Results.Cases, v1alpha1.Case{
			Name: fmt.Sprintf("case %d ü", n), Outcome: v1alpha1.OutcomeFailed, Message: strings.Repeat("no\x00", n), Suite: "t/ä.t",
		})
	}
	previous := -1
	for _, limit := range []int{128, 200, 256, 300, 512, 1000, 1001, 4096, 65536} {
		text := endOf(run).data(v1alpha1.JobTableDataSteps, limit)
		var e end
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Errorf("with %d bytes it is no JSON: %v\n%s", limit, err, text)
		}
		if len(text) > limit {
			t.Errorf("it has %d bytes, and the limit is %d", len(text), limit)
		}
		if e.Verdict != v1alpha1.VerdictCancelled || e.Reason != "ServiceAccountNotFound" {
			t.Errorf("with %d bytes the verdict is lost: %s", limit, text)
		}
		if len(e.Steps) < previous {
			t.Errorf("with %d bytes there are fewer steps than with less", limit)
		}
		previous = len(e.Steps)
		if isCut := len(e.Steps) < 50; isCut != e.Truncated {
			t.Errorf("with %d bytes there are %d steps, and truncated is %t", limit, len(e.Steps), e.Truncated)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) || strings.Contains(text, `\u0000`) {
			t.Errorf("not every database holds this: %s", text)
		}
		list := endOf(run).data(v1alpha1.JobTableDataStepList, limit)
		var steps []step
		if err := json.Unmarshal([]byte(list), &steps); err != nil || len(list) > limit {
			t.Errorf("the list has %d bytes of %d: %v", len(list), limit, err)
		}
	}
	if previous != 50 {
		t.Errorf("with room for all there are %d steps", previous)
	}
}

func TestATemplateTakesColumns(t *testing.T) {
	values := map[string]*string{"type": ptr.To("unit"), "x y": ptr.To("b"), "none": nil}
	for template, want := range map[string]string{"smoke": "smoke", "$(type)": "unit", "a-$(type)-$(x y).c": "a-unit-b.c", "": ""} {
		if got, err := expand("The name", template, values); err != nil || got != want {
			t.Errorf("%q becomes %q, %v, want %q", template, got, err, want)
		}
	}
	for _, template := range []string{"$(none)", "$$", "-$(type)", strings.Repeat("$(type)", 20)} {
		if got, err := expand("The name", template, values); err == nil {
			t.Errorf("%q becomes %q", template, got)
		}
	}
	run := v1alpha1.JobTableRun{
		TestRef: v1alpha1.RowTestReference{Name: "$(type)$$(no)$(x y)"}, Queue: "$(type)", Params: []v1alpha1.ColumnParam{{Column: "x y"}, {Column: "z"}},
	}
	if got := strings.Join(columnsOf(&run), ","); got != "type,x y,z" {
		t.Errorf("the columns are %s", got)
	}
}

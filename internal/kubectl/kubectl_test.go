package kubectl

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
	"github.com/testrun-dev/testrun/test/builders"
)

func TestWhatWasMeantIsFound(t *testing.T) {
	names := []string{"checkout", "check", "search", "nightly"}
	for typed, want := range map[string]string{
		"chekcout": "checkout", "serach": "search", "nihgtly": "nightly", "che": "check checkout", "CHECK": "check checkout", "zzz": "", "": "",
	} {
		if got := strings.Join(nearest(typed, names), " "); got != want {
			t.Errorf("%q may have been %q, want %q", typed, got, want)
		}
	}
}

func TestParamsAreComparedWithTheTest(t *testing.T) {
	test := builders.Test("checkout", builders.TestSpec("true", v1alpha1.ParamSpec{Name: "TARGET", Required: ptr.To(true)},
		v1alpha1.ParamSpec{Name: "BROWSER", Enum: []string{"chromium", "firefox"}}))
	for given, want := range map[string]string{
		"TARGET=a BROWSER=firefox": "",
		"TARGET=":                  "",
		"TARGET=a=b":               "",
		"BROWSER=chromium":         "add -p TARGET=VALUE",
		"TARGET=a BROWSER=firefx":  "Did you mean firefox?",
		"TARGET=a BROWSR=firefox":  "Did you mean BROWSER? It has: BROWSER, TARGET",
		"TARGET=a TARGET=b":        "TARGET is given twice",
		"TARGET":                   "write NAME=VALUE",
		"=a":                       "write NAME=VALUE",
	} {
		params, err := paramsOf(strings.Fields(given))
		if err == nil {
			err = checkParams(test, params)
		}
		var ending *exit
		switch {
		case want == "" && err != nil:
			t.Errorf("%s is refused: %v", given, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s is answered with %v, want %q in it", given, err, want)
		case want != "" && (!errors.As(err, &ending) || ending.code != ExitUsage):
			t.Errorf("%s does not end with the code of a wrong command line", given)
		}
	}
}

// No end of the plugin's own looks like a verdict, and every verdict has a code.
func TestOnlyVerdictsEndAsVerdicts(t *testing.T) {
	for _, code := range []int{ExitUsage, ExitProblem, ExitStillRuns, ExitInterrupted} {
		for verdict, of := range codes {
			if of == code {
				t.Errorf("%s ends with %d, as a mistake does", verdict, code)
			}
		}
	}
	if len(gravest) != len(codes) {
		t.Errorf("%d verdicts are ordered, and %d have codes", len(gravest), len(codes))
	}
	var all []show.Run
	for i := range gravest { // from the lightest to the gravest
		verdict := gravest[len(gravest)-1-i]
		all = append(all, show.Run{TestRun: builders.TestRun("run").Finished(verdict, "Reason").Build()})
		err := verdictOf(all)
		var ending *exit
		ended := errors.As(err, &ending)
		if ended != (codes[verdict] != 0) || ended && ending.code != codes[verdict] {
			t.Errorf("runs of which the gravest is %s end with %v", verdict, err)
		}
	}
}

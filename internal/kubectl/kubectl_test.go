package kubectl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

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

// What may get better by itself is asked again; what cannot, ends the waiting.
func TestOnlyWhatMayGetBetterIsAskedAgain(t *testing.T) {
	get := func(err error) error { return &url.Error{Op: "Get", URL: "https://cluster", Err: err} }
	status := func(code int) error {
		return apierrors.NewGenericServerResponse(code, "get", schema.GroupResource{Resource: testRuns}, "first", "", 0, true)
	}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"a connection that is refused":    {get(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), true},
		"a handshake that takes too long": {get(errors.New("net/http: TLS handshake timeout")), true},
		"an answer that breaks off":       {io.ErrUnexpectedEOF, true},
		"a connection that is lost":       {errors.New("http2: client connection lost"), true},
		"a server that is going away":     {status(http.StatusServiceUnavailable), true},
		"a server with too much to do":    {status(http.StatusTooManyRequests), true},
		"a version that is too old":       {apierrors.NewResourceExpired("too old"), true},
		"a right that is missing":         {status(http.StatusForbidden), false},
		"a token that has expired":        {status(http.StatusUnauthorized), false},
		"a certificate of somebody else":  {get(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), false},
		"whoever does not wait any more":  {get(context.Canceled), false},
		"a disk that is full":             {&os.PathError{Op: "write", Path: "output", Err: syscall.ENOSPC}, false},
	} {
		if got := brokenOff(test.err); got != test.want {
			t.Errorf("%s is asked again: %t, want %t", name, got, test.want)
		}
	}
}

// The sentence that names the fields is true.
func TestTheFieldsThatAreNamedCanBeSelectedBy(t *testing.T) {
	text, err := os.ReadFile("../../config/crd/bases/testrun.dev_testruns.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				SelectableFields []struct{ JSONPath string }
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	want := []string{"metadata.name", "metadata.namespace"} // those of every object
	for _, field := range crd.Spec.Versions[0].SelectableFields {
		want = append(want, strings.TrimPrefix(field.JSONPath, "."))
	}
	if !slices.Equal(selectable, want) {
		t.Errorf("the plugin names %q, and the CRD has %q", selectable, want)
	}
}

func TestWhoWatchesForDaysKeepsWhatIsThere(t *testing.T) {
	long, now := time.Unix(0, 0), time.Unix(0, 0).Add(goneFor+time.Second)
	f := newFollowed()
	for name, gone := range map[types.UID]*time.Time{"there": nil, "gone": &now, "long-gone": &long} {
		f.runs[name] = show.Run{TestRun: builders.TestRun(string(name)).Build(), Gone: gone}
	}
	f.forget(selection{names: []string{"long-gone"}}, now)
	if len(f.runs) != 3 {
		t.Errorf("a run that was named is forgotten")
	}
	f.forget(selection{}, now)
	if len(f.runs) != 2 || f.runs["there"].TestRun == nil || f.runs["gone"].TestRun == nil {
		t.Errorf("after a while %d runs are kept, want those that are there, and that went a moment ago", len(f.runs))
	}
}

package plugin

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// between stands between the plugin and the API server.
type between struct {
	*httptest.Server
	// answer may answer a request itself; nil if all go on to the API server.
	answer atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	// watches counts what was asked to be watched.
	watches atomic.Int64
}

func newBetween(t *testing.T) *between {
	t.Helper()
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(apiserver.Config))
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(apiserver.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0) // some tests break off what they ask
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport, FlushInterval: -1, ErrorLog: quiet,
	}
	b := &between{}
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "" {
			b.watches.Add(1)
		}
		if answer := b.answer.Load(); answer != nil && (*answer)(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	b.Config.ErrorLog = quiet
	b.StartTLS()
	t.Cleanup(func() {
		b.CloseClientConnections()
		b.Close()
	})
	return b
}

// cut ends all connections, and every new one before it is answered.
func (b *between) cut() {
	b.instead(func(w http.ResponseWriter, _ *http.Request) bool {
		if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = connection.Close()
		}
		return true
	})
	b.CloseClientConnections()
}

func (b *between) mend() { b.answer.Store(nil) }

// mendAfter mends it for an API server that knows nothing any more of what happened before that version.
func (b *between) mendAfter(version string) {
	b.instead(func(w http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		order, err := resourceversion.CompareResourceVersion(query.Get("resourceVersion"), version)
		if query.Get("watch") == "" || err != nil || order >= 0 {
			return false
		}
		expire(w)
		return true
	})
}

// expired is what the API server says to who watches from a version that is too old.
const expired = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old","reason":"Expired","code":410}`

func expire(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusGone)
	_, _ = w.Write([]byte(expired))
}

// instead has requests answered in another way.
func (b *between) instead(answer func(http.ResponseWriter, *http.Request) bool) {
	b.answer.Store(&answer)
}

// through is the same person, whose requests go through it.
func (p *person) through(b *between) *person {
	also := *p
	also.kubeconfig = p.kubeconfigOf(&clientcmdapi.AuthInfo{Token: p.tokenOfKubeconfig()}, func(c *clientcmdapi.Config) {
		authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Certificate().Raw})
		c.Clusters["test"] = &clientcmdapi.Cluster{Server: b.URL, CertificateAuthorityData: authority}
	})
	return &also
}

func TestAClusterThatDoesNotAnswerForAWhileIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	b := newBetween(t)
	ada := w.developer().through(b)
	w.Create(builders.TestRun("first").Build())
	waits, watches := ada.inTerminal("wait", "first"), ada.inTerminal("watch")
	watches.waitFor("the screen shows the run", "1 Pending", "first")
	w.WaitFor("somebody waits", func() bool { return b.watches.Load() >= 2 })
	b.cut()
	watches.waitFor("the screen says that the cluster does not answer", "The cluster does not answer")
	w.WaitFor("so does whoever waits", func() bool { return strings.Contains(waits.seen(), "The cluster does not answer") })
	w.end("first", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout)
	b.mend()
	if code := waits.wait(); code != 3 || !strings.Contains(waits.seen(), "The cluster answers again.") {
		t.Errorf("it ended with %d, want 3:\n%s", code, waits.seen())
	}
	watches.waitFor("the screen shows how the run ended", "Runs of namespace", "1 TimedOut")
	watches.interrupt()
	if seen := watches.seen(); strings.Count(seen, "answers again") > 0 {
		t.Errorf("what is said of the cluster is written into the screen:\n%q", seen)
	}
}

// It finished and was deleted while nobody could look: the archive knows how it ended.
func TestARunThatEndedAndWentUnseenHasItsVerdictFromTheArchive(t *testing.T) {
	w := newWorld(t)
	b := newBetween(t)
	alone := w.developer().through(b)
	w.Create(builders.TestRun("first").Cancelled().Build())
	waits, waitsAlone := alone.withArchive().inTerminal("wait", "first"), alone.inTerminal("wait", "first")
	w.WaitFor("both wait", func() bool { return b.watches.Load() >= 2 })
	b.cut()
	w.end("first", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
	w.delete("first")
	now := &v1alpha1.TestRunList{}
	w.Must(w.Client.List(w.Ctx, now, client.InNamespace(w.Namespace)))
	b.mendAfter(now.ResourceVersion)
	if code := waits.wait(); code != 1 || !strings.Contains(waits.seen(), "Failed") {
		t.Errorf("it ended with %d, want 1:\n%s", code, waits.seen())
	}
	if code := waitsAlone.wait(); code != 11 || !strings.Contains(waitsAlone.seen(), "first was deleted before it had finished") {
		t.Errorf("without the archive it ended with %d, want 11:\n%s", code, waitsAlone.seen())
	}
}

func TestARunWhoseLabelsChangeIsWaitedForAllTheSame(t *testing.T) {
	w := newWorld(t)
	b := newBetween(t)
	for _, name := range []string{"first", "second"} {
		run := builders.TestRun(name).Build()
		run.Labels = map[string]string{"team": "shop"}
		w.Create(run)
	}
	waits := w.developer().through(b).inTerminal("wait", "-l", "team=shop")
	w.WaitFor("it waits", func() bool { return b.watches.Load() >= 1 })
	changed := w.Run("first")
	changed.Labels["team"] = "pay"
	w.Must(w.Client.Update(w.Ctx, changed))
	w.WaitFor("it waits for both by their names", func() bool { return b.watches.Load() >= 2 })
	w.end("second", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	w.end("first", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout)
	if code := waits.wait(); code != 3 || !strings.Contains(waits.seen(), "the message of TestPassed") {
		t.Errorf("it ended with %d, want 3:\n%s", code, waits.seen())
	}
}

// The API server answers with 410 Gone, or sends it, when it does not know any more what happened since the list was read.
func TestAVersionThatIsTooOldHasTheListReadAgain(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"as an answer": expire,
		"as an event": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"type":"ERROR","object":` + expired + "}\n"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := newBetween(t)
			b.instead(func(writer http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("watch") == "" || b.watches.Load() > 2 {
					return false
				}
				answer(writer)
				return true
			})
			w.Create(builders.TestRun("first").Cancelled().Build())
			s := w.developer().through(b).inTerminal("wait", "first")
			w.WaitFor("it watches", func() bool { return b.watches.Load() > 2 })
			w.end("first", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
			if code := s.wait(); code != 0 || strings.Contains(s.seen(), "does not answer") {
				t.Errorf("it ended with %d, want 0, and nothing to be said of it:\n%s", code, s.seen())
			}
		})
	}
}

// As in kubectl testrun list | head.
func TestWhoStopsReadingEndsItWithoutAWord(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	w.Create(builders.TestRun("first").Build())
	w.finish("over", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	for _, args := range []string{"list", "list -o json", "wait over", "watch over", "results over", "why over"} {
		read, write, err := os.Pipe()
		w.Must(err)
		w.Must(read.Close())
		cmd := ada.command(w.Ctx, strings.Fields(args)...)
		var said strings.Builder
		cmd.Stdout, cmd.Stderr = write, &said
		_ = cmd.Run()
		w.Must(write.Close())
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGPIPE || said.Len() > 0 {
			t.Errorf("%s ended with %s, want that SIGPIPE ends it, and said %q", args, cmd.ProcessState, said.String())
		}
	}
}

package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	ctrl "sigs.k8s.io/controller-runtime"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/ingest"
	"github.com/testrun-dev/testrun/internal/archivestatus"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/kit"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m))
}

// world is a namespace with what the manifests make for the server.
type world struct {
	*kit.World
	options Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: kit.New(t)}
	w.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: archivestatus.ConfigMap}})
	w.Create(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}})
	const anyPort = "127.0.0.1:0"
	w.options = Options{
		Config: apiserver.Config, Namespace: w.Namespace, DataDir: t.TempDir(), Limits: ingest.DefaultLimits(), MaxLog: 1 << 20,
		APIAddress: anyPort, PushAddress: anyPort, HealthAddress: anyPort, Retention: archive.DefaultPolicy, Log: slog.New(slog.DiscardHandler),
	}
	return w
}

// start starts a server, and returns what stops it.
func (w *world) start() (s *Server, stop func()) {
	w.T.Helper()
	s, err := New(w.Ctx, w.options)
	w.Must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Run(ctx); err != nil {
			w.T.Errorf("the server has stopped: %v", err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
	})
	w.T.Cleanup(stop)
	return s, stop
}

// status is what the operator is told.
func (w *world) status() archivestatus.Status {
	w.T.Helper()
	config := &corev1.ConfigMap{}
	w.Must(w.Client.Get(w.Ctx, w.Key(archivestatus.ConfigMap), config))
	status, _ := archivestatus.Read(config.Data)
	return status
}

func (w *world) waitForStored(run *v1alpha1.TestRun) {
	w.T.Helper()
	w.WaitFor("the operator is told that run "+run.Name+" is stored", func() bool { return w.status().Holds(run.ResourceVersion) })
}

func get(t *testing.T, url string) (code int, text string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} //nolint:gosec // the test
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestTheServerKeepsRunsAndSaysUpToWhere(t *testing.T) {
	w := newWorld(t)
	w.options.LeaderElect = true
	s, stop := w.start()
	run := builders.TestRun("smoke").Build()
	w.Create(run)
	w.waitForStored(run)

	_, _, health := s.Addresses()
	for path, want := range map[string]string{
		"/healthz": "ok", "/readyz": "ok", "/metrics": "testrun_archive_watch_lag_seconds",
	} {
		if code, body := get(t, "http://"+health+path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d: %.300s", path, code, body)
		}
	}
	api, pushes, _ := s.Addresses()
	for _, address := range []string{api, pushes} {
		if code, body := get(t, "https://"+address+"/api/v1/namespaces/default/runs"); code < 400 || code >= 500 {
			t.Errorf("somebody unknown gets %d: %s", code, body)
		}
		expectPinned(t, address, w.status().Pins)
	}
	stop()

	w.Must(w.Client.Delete(w.Ctx, run))
	s, _ = w.start()
	w.WaitFor("the run is kept after it was deleted", func() bool {
		kept, err := s.store.Run(w.Ctx, string(run.UID))
		return err == nil && !kept.Deleted.IsZero()
	})
}

// expectPinned says whether who listens there has one of the keys.
func expectPinned(t *testing.T, address string, pins []string) {
	t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", address) //nolint:gosec // the test
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	if len(pins) != 1 || pins[0] != hex.EncodeToString(sum[:]) {
		t.Errorf("the key of %s is %x, the pins are %q", address, sum, pins)
	}
}

func TestOneReplicaFollowsTheOther(t *testing.T) {
	w := newWorld(t)
	w.options.LeaderElect = true
	_, stopFirst := w.start()
	first := builders.TestRun("first").Build()
	w.Create(first)
	w.waitForStored(first)

	w.options.DataDir = t.TempDir()
	w.start()
	stopFirst()
	second := builders.TestRun("second").Build()
	w.Create(second)
	w.waitForStored(second)
}

// The operator is told what the database says, whatever stands in the ConfigMap.
func TestTheWatermarkOfAnotherIsCorrected(t *testing.T) {
	w := newWorld(t)
	config := &corev1.ConfigMap{}
	w.Must(w.Client.Get(w.Ctx, w.Key(archivestatus.ConfigMap), config))
	config.Data = archivestatus.Status{Watermark: "999999999999"}.Data()
	w.Must(w.Client.Update(w.Ctx, config))
	run := builders.TestRun("smoke").Build()
	w.Create(run)
	w.start()
	w.WaitFor("the watermark is that of what is stored", func() bool {
		status := w.status()
		order, err := resourceversion.CompareResourceVersion(status.Watermark, "999999999999")
		return err == nil && order < 0 && status.Holds(run.ResourceVersion)
	})
}

func TestADatabaseThatDoesNotAnswerIsNotReady(t *testing.T) {
	w := newWorld(t)
	s, _ := w.start()
	_, _, health := s.Addresses()
	w.Must(s.store.Close())
	if code, body := get(t, "http://"+health+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "the database does not answer") {
		t.Errorf("it answers %d: %s", code, body)
	}
	if code, _ := get(t, "http://"+health+"/healthz"); code != http.StatusOK {
		t.Errorf("it is alive, and answers %d", code)
	}
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"a database of another kind":      {func(o *Options) { o.Database = "mysql://db" }, "it is sqlite:PATH or postgres://"},
		"no such place for blobs":         {func(o *Options) { o.Blobs = "ftp://blobs" }, "opening the blobs"},
		"an address that is no one's":     {func(o *Options) { o.APIAddress = "192.0.2.1:1" }, "listening for the API"},
		"a certificate that is not there": {func(o *Options) { o.CertFile, o.KeyFile = "/none", "/none" }, "reading --tls-cert and --tls-key"},
		"a data folder that is a file":    {func(o *Options) { o.DataDir = fileIn(o.DataDir) }, "the data folder"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.change(&w.options)
			s, err := New(t.Context(), w.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
			if s != nil {
				s.close()
			}
		})
	}
}

func fileIn(dir string) string {
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		panic(err)
	}
	return path
}

// What is under way ends before the server does, and what never ends is ended.
func TestTheServerStopsWhileSomebodyAsks(t *testing.T) {
	release, begun := make(chan struct{}), make(chan struct{})
	l, err := listen(t.Context(), "a test", "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		if r.URL.Path == "/endless" {
			<-r.Context().Done()
		} else {
			<-release
		}
		_, _ = io.WriteString(w, "done")
	}), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- l.serve() }()
	answers := make(chan error, 2)
	for _, path := range []string{"/", "/endless"} {
		go func() {
			if code, body := get(t, "http://"+l.tcp.Addr().String()+path); code != http.StatusOK || body != "done" {
				answers <- fmt.Errorf("%s is answered with %d: %s", path, code, body)
				return
			}
			answers <- nil
		}()
	}
	<-begun
	<-begun
	time.AfterFunc(500*time.Millisecond, func() { close(release) })
	l.stop(t.Context())
	for range 2 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

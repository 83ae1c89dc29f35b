package server

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/archivestatus"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/kit"
)

// world is a namespace with servers that share a database and blobs. The test has both open too, and looks what is in them.
type world struct {
	*kit.World
	url, blobsDir string
	store         *archive.Store
	blobs         blobs.Blobs
}

// newWorld makes one. The database is at the URL, which the test has made.
func newWorld(t *testing.T, url, blobsDir string) *world {
	t.Helper()
	w := &world{World: kit.New(t), url: url, blobsDir: blobsDir}
	w.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: archivestatus.ConfigMap}})
	w.Create(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: archivestatus.ConfigMap}})
	w.Create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	var err error
	w.store, err = archive.Open(w.Ctx, url)
	w.Must(err)
	t.Cleanup(func() { _ = w.store.Close() })
	w.blobs, err = blobs.Open(w.Ctx, "file:"+blobsDir)
	w.Must(err)
	t.Cleanup(func() { _ = w.blobs.Close() })
	return w
}

// replica is a process of the server.
type replica struct {
	push, api, health string
	cmd               *exec.Cmd
	end               func()
}

// start starts a replica. Its database is at that URL.
func (w *world) start(url string, flags ...string) *replica {
	w.T.Helper()
	path, err := program.Path()
	w.Must(err)
	dir := w.T.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	w.Must(os.WriteFile(kubeconfig, apiserver.KubeConfig, 0o600))
	r := &replica{push: kit.FreeAddress(w.T), api: kit.FreeAddress(w.T), health: kit.FreeAddress(w.T)}
	r.cmd = exec.Command(path, append([]string{
		"--data=" + dir, "--database=" + url, "--blobs=file:" + w.blobsDir, "--namespace=" + w.Namespace, "--leader-elect",
		"--push-bind-address=" + r.push, "--api-bind-address=" + r.api, "--health-probe-bind-address=" + r.health,
	}, flags...)...)
	var log bytes.Buffer
	r.cmd.Env, r.cmd.Stderr = append(os.Environ(), "KUBECONFIG="+kubeconfig), &log
	r.cmd.SysProcAttr = endsWithUs()
	w.Must(r.cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = r.cmd.Wait()
		close(ended)
	}()
	r.end = sync.OnceFunc(func() {
		_ = r.cmd.Process.Kill()
		<-ended
	})
	w.T.Cleanup(func() {
		r.end()
		if w.T.Failed() {
			lines := strings.Split(log.String(), "\n")
			w.T.Logf("the log of a replica:\n%s", strings.Join(lines[max(0, len(lines)-25):], "\n"))
		}
	})
	return r
}

// status is what the operator is told.
func (w *world) status() (archivestatus.Status, error) {
	config := &corev1.ConfigMap{}
	if err := w.Client.Get(w.Ctx, w.Key(archivestatus.ConfigMap), config); err != nil {
		return archivestatus.Status{}, err
	}
	status, _ := archivestatus.Read(config.Data)
	return status, nil
}

func (w *world) waitForLeader() {
	w.T.Helper()
	w.WaitFor("a replica leads, and says up to where all is stored", func() bool {
		status, err := w.status()
		w.Must(err)
		return status.Watermark != ""
	})
}

//go:build linux

package server

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/points"
	"github.com/testrun-dev/testrun/test/postgres"
)

// disk is a small disk of its own.
type disk struct{ dir string }

// mount mounts a disk of so many MiB until the test ends. Where nothing may be mounted, it skips the test.
func mount(t *testing.T, mib int) *disk {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "disk") //nolint:usetesting // the path of a socket in it has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	err = syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib))
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("only who may mount a disk, as root may, can fill one: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return &disk{dir}
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves no room at all.
func (d *disk) fill() error {
	file, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	for size := 1 << 20; size >= 512; {
		if _, err := file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (d *disk) free() error { return os.Remove(d.ballast()) }

// A disk that is full makes the archive read-only, and what is refused meanwhile comes in when there is room again.
func TestWhileADiskIsFullNothingIsLost(t *testing.T) {
	t.Parallel()
	count := points.Of(t, "a disk is full")
	for name, prepare := range map[string]func(t *testing.T) (d *disk, url, blobsDir string){
		"the disk of PostgreSQL": func(t *testing.T) (d *disk, url, blobsDir string) {
			t.Helper()
			d = mount(t, 160)
			server, err := postgres.StartIn(t.Context(), d.dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Stop() })
			url, err = server.NewDatabase(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return d, url, filepath.Join(t.TempDir(), "blobs")
		},
		"the disk of SQLite": func(t *testing.T) (d *disk, url, blobsDir string) {
			t.Helper()
			d = mount(t, 32)
			return d, "sqlite:" + filepath.Join(d.dir, "archive.db"), filepath.Join(t.TempDir(), "blobs")
		},
		"the disk of the blobs": func(t *testing.T) (d *disk, url, blobsDir string) {
			t.Helper()
			d = mount(t, 32)
			return d, "sqlite:" + filepath.Join(t.TempDir(), "archive.db"), filepath.Join(d.dir, "blobs")
		},
		"the one disk of SQLite and the blobs": func(t *testing.T) (d *disk, url, blobsDir string) {
			t.Helper()
			d = mount(t, 32)
			return d, "sqlite:" + filepath.Join(d.dir, "archive.db"), filepath.Join(d.dir, "blobs")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, url, blobsDir := prepare(t)
			fillAndFree(newWorld(t, url, blobsDir), d)
			count.Tried(t)
		})
	}
}

func fillAndFree(w *world, d *disk) {
	w.T.Helper()
	r := w.start(w.url)
	w.waitForLeader()
	w.WaitFor("the server listens", func() bool { return isReady(w, r) })
	reader := w.reader()
	told := &promises{world: w}
	stopLooking := told.watch()
	p := w.newPusher("smoke", 80)
	told.add(p.run)
	w.Must(p.pushUntilRefused(r, 10))
	w.WaitFor("the run is stored", func() bool {
		kept, err := w.store.Run(w.Ctx, p.attempt.UID)
		return err == nil && kept.ResourceVersion != ""
	})
	w.Must(d.fill())
	p.expectRefused(p.pushUntilRefused(r, len(p.streams[output])))
	// What happens in the cluster meanwhile takes room, too.
	for i := range 20 {
		run := builders.TestRun(fmt.Sprintf("other-%d", i)).Build()
		run.Annotations = map[string]string{"filler": strings.Repeat(rand.Text(), 100)}
		w.Create(run)
		told.add(run)
	}
	w.WaitFor("the API says that the archive is read-only", func() bool {
		_ = p.pushUntilRefused(r, len(p.streams[output]))
		return strings.Contains(p.readOnly(r, reader), "read-only")
	})
	if !isReady(w, r) {
		w.T.Error("what is kept can be asked for, and the server is not ready")
	}
	w.Must(d.free())
	w.Must(p.pushRest(r))
	w.Must(p.finish())
	told.add(p.run)
	w.expectAll(told, []*pusher{p})
	if reason := p.readOnly(r, reader); reason != "" {
		w.T.Errorf("there is room again, and the API says: %s", reason)
	}
	stopLooking()
}

// pushUntilRefused pushes parts that no server has taken yet, up to a part, and stops at the first that is not taken.
func (p *pusher) pushUntilRefused(r *replica, parts int) error {
	for part := range parts {
		for _, stream := range []push.Stream{output, cases} {
			path, body := p.chunk(stream, part)
			if p.taken[path] {
				continue
			}
			if err := p.try(p.Ctx, r.push, path, body); err != nil {
				return err
			}
			p.taken[path] = true
		}
	}
	return nil
}

// expectRefused checks that a push was refused for now, and why.
func (p *pusher) expectRefused(err error) {
	p.T.Helper()
	var no *refused
	if !errors.As(err, &no) || no.code != http.StatusServiceUnavailable || !strings.Contains(no.message, "read-only") {
		p.T.Errorf("a push to a full archive: %v", err)
	}
}

// pushRest pushes what no server has taken yet, and nothing else: what was taken has to be there.
func (p *pusher) pushRest(r *replica) error {
	for part := range p.streams[output] {
		for _, stream := range []push.Stream{output, cases} {
			path, body := p.chunk(stream, part)
			if p.taken[path] {
				continue
			}
			if err := p.push(p.Ctx, []string{r.push}, path, body); err != nil {
				return err
			}
		}
	}
	return p.pushEnd(p.Ctx, []string{r.push})
}

// reader is the token of somebody who may see the runs of the namespace.
func (w *world) reader() string {
	w.T.Helper()
	w.Create(&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"testrun.dev"}, Resources: []string{"testruns"}, Verbs: []string{"get"}},
	}})
	w.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "default", Namespace: w.Namespace}},
	})
	request := &authenticationv1.TokenRequest{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "default"}}
	w.Must(w.Client.SubResource("token").Create(w.Ctx, account, request))
	return request.Status.Token
}

// readOnly is why the archive takes nothing more, as the API says.
func (p *pusher) readOnly(r *replica, token string) string {
	p.T.Helper()
	request, err := http.NewRequestWithContext(p.Ctx, http.MethodGet, "https://"+r.api+"/api/v1/namespaces/"+p.Namespace+"/runs/"+p.run.Name, http.NoBody)
	p.Must(err)
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(request)
	p.Must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	p.Must(err)
	var said struct {
		ReadOnly string `json:"readOnly"`
	}
	if err := json.Unmarshal(body, &said); err != nil || answer.StatusCode != http.StatusOK {
		p.T.Fatalf("the API answers %d: %s", answer.StatusCode, body)
	}
	return said.ReadOnly
}

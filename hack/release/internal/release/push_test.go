package release

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// newRegistry serves a registry that lets one user in, with one password, and returns its host.
func newRegistry(t *testing.T) string {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "jane" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// logIn has docker's configuration name a user for a registry.
func logIn(t *testing.T, host, user, password string) {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("DOCKER_CONFIG", folder)
	writeFile(t, filepath.Join(folder, "config.json"), fmt.Sprintf(`{"auths": {%q: {"username": %q, "password": %q}}}`, host, user, password))
}

// releaseFor copies the shared release, made for another registry: its images are the same.
func releaseFor(t *testing.T, host string) Options {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "dist")
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(released(t), "dist"))); err != nil {
		t.Fatal(err)
	}
	description := strings.ReplaceAll(readFile(t, folder, descriptionFile), "registry.example.com", host)
	writeFile(t, filepath.Join(folder, descriptionFile), description)
	if err := os.Remove(filepath.Join(folder, sumsFile)); err != nil {
		t.Fatal(err)
	}
	if err := (&workshop{dist: folder}).sum(t.Context()); err != nil {
		t.Fatal(err)
	}
	options, _ := optionsFor(filepath.Dir(folder))
	options.Registry = host + "/small"
	return options
}

func TestAReleaseIsPushedOnceAndPulledByTagAndDigest(t *testing.T) {
	host := newRegistry(t)
	logIn(t, host, "jane", "secret")
	options := releaseFor(t, host)
	if err := Push(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	var release Release
	if err := json.Unmarshal([]byte(readFile(t, options.Output, descriptionFile)), &release); err != nil {
		t.Fatal(err)
	}
	p := pusher{ctx: t.Context()}
	for _, image := range release.Images {
		byTag, err := name.ParseReference(image.Name)
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Index(byTag, p.options()...)
		if err != nil {
			t.Fatal(err)
		}
		if digest, err := index.Digest(); err != nil || digest.String() != image.Digest {
			t.Errorf("%s is %s (%v) in the registry, want %s", image.Name, digest, err, image.Digest)
		}
		byDigest, err := name.ParseReference(options.Registry + "/" + image.Program + "@" + image.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := remote.Head(byDigest, p.options()...); err != nil {
			t.Errorf("%s: %v", byDigest, err)
		}
	}
	chart, err := name.ParseReference(options.Registry + "/charts/testrun:1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(chart, p.options()...)
	if err != nil {
		t.Fatal(err)
	}
	config, err := pulled.RawConfigFile()
	if err != nil || !strings.Contains(string(config), `"version":"1.2.3"`) {
		t.Errorf("the configuration of the chart is %s (%v)", config, err)
	}

	out := &strings.Builder{}
	options.Out = out
	if err := Push(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "is there already"); got != 3 || strings.Contains(out.String(), "pushed") {
		t.Errorf("the second push says\n%s", out)
	}
}

func TestAPushThatIsRefusedSaysWhatToDo(t *testing.T) {
	host := newRegistry(t)
	tests := map[string]struct {
		prepare func(options *Options)
		want    string
	}{
		"nobody has logged in": {
			func(*Options) { t.Setenv("DOCKER_CONFIG", t.TempDir()) },
			host + " lets nobody push " + host + "/small/manager:v1.2.3 who has not logged in: `docker login " + host,
		},
		"the password is wrong": {func(*Options) { logIn(t, host, "jane", "wrong") }, host + " does not let jane push "},
		"another registry": {
			func(o *Options) { o.Registry = "other.example.com/small" },
			"name images of " + host + "/small: make it for your registry",
		},
		"the tag has other content": {func(*Options) {
			logIn(t, host, "jane", "secret")
			other := releaseFor(t, host)
			other.Version = "v1.2.3"
			swap(t, other.Output)
			if err := Push(t.Context(), other); err != nil {
				t.Fatal(err)
			}
		}, "a version is pushed once"},
	}
	for name, test := range tests {
		options := releaseFor(t, host)
		test.prepare(&options)
		if err := Push(t.Context(), options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q in it", name, err, test.want)
		}
	}
}

// swap gives the manager and the runner of a release the names of each other.
func swap(t *testing.T, folder string) {
	t.Helper()
	turned := strings.NewReplacer("/manager:", "/runner:", "/runner:", "/manager:").Replace(readFile(t, folder, descriptionFile))
	writeFile(t, filepath.Join(folder, descriptionFile), turned)
	if err := os.Remove(filepath.Join(folder, sumsFile)); err != nil {
		t.Fatal(err)
	}
	if err := (&workshop{dist: folder}).sum(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAReleaseOfNoRegistryIsNotPushed(t *testing.T) {
	options := releaseFor(t, unpublished)
	options.Registry = ""
	description := strings.ReplaceAll(readFile(t, options.Output, descriptionFile), unpublished+"/small", unpublished)
	writeFile(t, filepath.Join(options.Output, descriptionFile), description)
	if err := os.Remove(filepath.Join(options.Output, sumsFile)); err != nil {
		t.Fatal(err)
	}
	if err := (&workshop{dist: options.Output}).sum(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := Push(t.Context(), options); err == nil || !strings.Contains(err.Error(), "make release REGISTRY=HOST/PATH") {
		t.Errorf("the error is %v", err)
	}
}

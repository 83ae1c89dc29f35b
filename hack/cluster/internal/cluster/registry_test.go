package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

func TestTheNodePullsFromARegistryUntilItIsForgotten(t *testing.T) {
	clone := layout.Layout{Repo: t.TempDir()}
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, []byte("certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := clone.ConfigFile("registries/10.250.0.1:5000")
	if err := trustRegistry(clone, "10.250.0.1:5000", ca); err != nil {
		t.Fatal(err)
	}
	hosts, err := os.ReadFile(filepath.Join(folder, "hosts.toml"))
	if err != nil || !strings.Contains(string(hosts), `[host."https://10.250.0.1:5000"]`) ||
		!strings.Contains(string(hosts), filepath.Join(folder, "ca.crt")) {
		t.Errorf("hosts.toml is %q (%v), want the registry and its CA in it", hosts, err)
	}
	if err := forgetRegistry(clone, "10.250.0.1:5000"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder of the registry: %v, want none", err)
	}
}

func TestWhatIsNoRegistryNamesNoFolder(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/b", "Host", "host:port", "_default"} {
		if err := forgetRegistry(layout.Layout{Repo: t.TempDir()}, name); err == nil {
			t.Errorf("%q was taken for a registry", name)
		}
	}
}

func TestImagesOfARegistryAreThoseOfItAlone(t *testing.T) {
	got := imagesOf("10.250.0.1:5000", `REF TYPE DIGEST SIZE PLATFORMS LABELS
10.250.0.1:5000/a:1 application/vnd.oci.image.index.v1+json sha256:aa 1 MiB linux/amd64 -
10.250.0.1:50001/b:1 application/vnd.oci.image.index.v1+json sha256:bb 1 MiB linux/amd64 -
docker.io/library/a:1 application/vnd.oci.image.index.v1+json sha256:aa 1 MiB linux/amd64 -
sha256:01 application/vnd.oci.image.index.v1+json sha256:aa 1 MiB linux/amd64 -
sha256:02 application/vnd.oci.image.index.v1+json sha256:bb 1 MiB linux/amd64 -
`)
	if !slices.Equal(got, []string{"10.250.0.1:5000/a:1", "sha256:01"}) {
		t.Errorf("got %q", got)
	}
}

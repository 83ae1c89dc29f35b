package host

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseMounts(t *testing.T) {
	got := parseMounts(`25 30 0:23 / /sys rw,relatime shared:7 master:1 - sysfs sysfs rw
31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 30 0:40 / /mnt/a\040b rw - tmpfs tmpfs rw
broken line
`)
	want := []mount{{"/sys", "sysfs"}, {"/sys/fs/cgroup/memory", "cgroup"}, {"/mnt/a b", "tmpfs"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestInstallSaysNothingWhenNothingIsMissing(t *testing.T) {
	var out bytes.Buffer
	err := Install(t.Context(), &out, "this test", []Need{{What: "air", Present: func() bool { return true }}})
	if err != nil || out.Len() > 0 {
		t.Errorf("error %v, output %q", err, out.String())
	}
}

func TestInstallNamesWhatIsMissingWhereItCannotInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if FindProgram("apt-get") != "" {
		t.Skip("apt-get is in sbin here")
	}
	err := Install(t.Context(), &bytes.Buffer{}, "this test",
		[]Need{{What: "nft", Packages: []string{"nftables"}, Present: func() bool { return false }}})
	if err == nil || !strings.Contains(err.Error(), "nft") || !strings.Contains(err.Error(), "nftables") {
		t.Errorf("unhelpful error: %v", err)
	}
}

func TestSysctlsAreSavedOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sysctl.json")
	if err := SaveSysctls(file); err != nil {
		t.Fatal(err)
	}
	if err := SaveSysctls(file); err != nil {
		t.Fatal(err)
	}
	if err := RestoreSysctls(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("nothing saved: %v", err)
	}
}

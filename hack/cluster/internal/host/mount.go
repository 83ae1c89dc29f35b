package host

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

type mount struct {
	Point, Type string
}

func readMounts() ([]mount, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(data)), nil
}

// parseMounts reads the format of /proc/self/mountinfo: the mount point is the fifth field, and the type follows a
// lone dash, before which there may be any number of optional fields.
func parseMounts(data string) []mount {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var mounts []mount
	for line := range strings.Lines(data) {
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if ok && len(fields) >= 5 && len(kind) > 0 {
			mounts = append(mounts, mount{Point: unescape.Replace(fields[4]), Type: kind[0]})
		}
	}
	return mounts
}

// UnmountBelow unmounts everything below the folder, and what is mounted on it.
func UnmountBelow(dir string) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	var errs []error
	// Last mounted, first unmounted: one mount may hold the next one's mount point.
	for _, m := range slices.Backward(mounts) {
		if m.Point != dir && !strings.HasPrefix(m.Point, dir+"/") {
			continue
		}
		// Detached rather than refused when still in use: its users have been killed already.
		if err := unix.Unmount(m.Point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", m.Point, err))
		}
	}
	return errors.Join(errs...)
}

// OverlayWorks tries an overlay mount in the folder: it fails inside most containers, whose own root is one.
func OverlayWorks(dir string) bool {
	tmp, err := os.MkdirTemp(dir, "overlay-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(tmp)
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(tmp+"/"+name, 0o755); err != nil {
			return false
		}
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", tmp)
	if err := unix.Mount("overlay", tmp+"/merged", "overlay", 0, options); err != nil {
		return false
	}
	return unix.Unmount(tmp+"/merged", 0) == nil
}

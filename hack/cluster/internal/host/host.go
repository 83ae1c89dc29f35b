// Package host deals with what the machine itself has to offer: programs, packages, kernel settings, cgroups, mounts.
package host

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Need is something that the machine may lack, and the Debian packages that bring it.
type Need struct {
	What     string
	Packages []string
	Present  func() bool
}

// HasProgram tests for a program on the PATH or where the system keeps those for root.
func HasProgram(name string) func() bool {
	return func() bool { return FindProgram(name) != "" }
}

// FindProgram returns a program's path, or "". A user's PATH often lacks the sbin folders.
func FindProgram(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// Install installs the packages of those needs that are not met, or says how to.
func Install(ctx context.Context, out io.Writer, purpose string, needs []Need) error {
	var missing, packages []string
	for _, n := range needs {
		if !n.Present() {
			missing = append(missing, n.What)
			packages = append(packages, n.Packages...)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	command := "apt-get install -y --no-install-recommends " + strings.Join(packages, " ")
	if FindProgram("apt-get") == "" {
		return fmt.Errorf("%s needs %s: install it with this system's package manager (on Debian: %s)",
			purpose, strings.Join(missing, " and "), command)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s needs %s: install it as root with\n  %s", purpose, strings.Join(missing, " and "), command)
	}
	fmt.Fprintf(out, "%s needs %s: %s\n", purpose, strings.Join(missing, " and "), command)
	if err := Apt(ctx, append([]string{"install", "-y", "--no-install-recommends"}, packages...)...); err != nil {
		// The lists are missing or too old: a package's file is removed from the archive when a newer one is there.
		if err := Apt(ctx, "update"); err != nil {
			return err
		}
		return Apt(ctx, append([]string{"install", "-y", "--no-install-recommends"}, packages...)...)
	}
	return nil
}

// Apt runs apt-get; the error holds what it said.
func Apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return nil
}

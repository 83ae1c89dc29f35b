package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/testrun-dev/testrun/hack/cluster/internal/host"
)

// Debian is an image made of Debian packages, with all that they depend on. No script of a package runs: it suits
// programs that need their files and nothing else, such as a shell or an interpreter.
type Debian struct {
	Name     string
	User     string
	Packages []string
	Cache    string // keeps downloaded packages
}

// unneeded are packages that others depend on for the sake of being installed: nothing is, here.
var unneeded = map[string]bool{"dpkg": true, "debconf": true, "tar": true, "debianutils": true, "install-info": true}

// unwanted are folders that no program reads.
var unwanted = []string{
	"usr/share/bug/", "usr/share/doc/", "usr/share/info/", "usr/share/lintian/", "usr/share/locale/", "usr/share/man/",
}

// Write makes the image.
func (d Debian) Write(ctx context.Context, out io.Writer, output string) error {
	for _, program := range []string{"apt-get", "dpkg-deb"} {
		if host.FindProgram(program) == "" {
			return fmt.Errorf("an image of Debian packages needs the program %s: make it on Debian or Ubuntu", program)
		}
	}
	packages, err := d.resolve(ctx, out)
	if err != nil {
		return err
	}
	if err := d.download(ctx, out, packages); err != nil {
		return err
	}
	content := base()
	for _, p := range packages {
		if err := unpack(ctx, content, filepath.Join(d.Cache, p.file())); err != nil {
			return err
		}
	}
	if _, ok := content["usr/bin/dash"]; ok {
		// Else left to a script of the package.
		content.symlink("usr/bin/sh", "dash")
	}
	return save(output, d.Name, content, v1.Config{
		Cmd: []string{"sh"}, User: d.User, WorkingDir: "/tmp",
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/tmp"},
	})
}

// base is what a system has before its first package: the merged /usr, and the files that programs look up users in.
func base() files {
	content := files{}
	for _, dir := range []string{
		"dev", "etc", "home", "proc", "root", "run", "sys", "usr", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "var",
	} {
		content.dir(dir, 0o755, 0)
	}
	content.dir("tmp", 0o1777, 0)
	content.dir("var/tmp", 0o1777, 0)
	for _, dir := range merged {
		content.symlink(dir, "usr/"+dir)
	}
	content.regular("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\n"+
		"nobody:x:65534:65534:nobody:/nonexistent:/bin/false\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n"))
	content.regular("etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n"))
	content.regular("etc/nsswitch.conf", 0o644, []byte("passwd: files\ngroup: files\nhosts: files dns\n"))
	return content
}

// debianPackage is one line of apt's plan.
type debianPackage struct{ name, version, arch string }

// file is the name that apt gives to a package's file.
func (p debianPackage) file() string {
	return p.name + "_" + strings.ReplaceAll(p.version, ":", "%3a") + "_" + p.arch + ".deb"
}

// resolve asks apt what it would install on a system that has nothing.
func (d Debian) resolve(ctx context.Context, out io.Writer) ([]debianPackage, error) {
	nothing, err := os.CreateTemp("", "dpkg-status-")
	if err != nil {
		return nil, err
	}
	nothing.Close()
	defer os.Remove(nothing.Name())
	plan := func() ([]debianPackage, error) {
		args := []string{"-o", "Dir::State::status=" + nothing.Name(), "--no-install-recommends", "--simulate", "install"}
		cmd := exec.CommandContext(ctx, "apt-get", append(args, d.Packages...)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		output, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("apt-get cannot plan an image of %s: %w\n%s", strings.Join(d.Packages, ", "), err, output)
		}
		return parsePlan(string(output)), nil
	}
	if packages, err := plan(); err == nil && len(packages) > 0 {
		return packages, nil
	}
	if err := d.update(ctx, out); err != nil {
		return nil, err
	}
	return plan()
}

func (d Debian) update(ctx context.Context, out io.Writer) error {
	fmt.Fprintln(out, "apt-get update")
	err := host.Apt(ctx, "update")
	if err != nil && os.Geteuid() != 0 {
		return fmt.Errorf("apt's lists of packages are missing or old, run as root: apt-get update (%w)", err)
	}
	return err
}

// planLine matches lines such as: Inst perl (5.36.0-7+deb12u2 Debian:12.9/stable [amd64]) []
var planLine = regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) .*?\[(\w+)\]\)`)

func parsePlan(output string) []debianPackage {
	var packages []debianPackage
	for _, m := range planLine.FindAllStringSubmatch(output, -1) {
		if !unneeded[m[1]] {
			packages = append(packages, debianPackage{name: m[1], version: m[2], arch: m[3]})
		}
	}
	// A later package's files win: let that not depend on apt's mood.
	slices.SortFunc(packages, func(a, b debianPackage) int { return strings.Compare(a.name, b.name) })
	return packages
}

// download gets the packages that are not there yet. apt checks them against its signed lists.
func (d Debian) download(ctx context.Context, out io.Writer, packages []debianPackage) error {
	if err := os.MkdirAll(d.Cache, 0o755); err != nil {
		return err
	}
	var missing []string
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join(d.Cache, p.file())); err != nil {
			missing = append(missing, p.name+":"+p.arch+"="+p.version)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(out, "downloading %d Debian packages\n", len(missing))
	run := func() error {
		// As root apt would become another user, who may not write into the cache.
		args := append([]string{"-q", "-o", "APT::Sandbox::User=root", "download"}, missing...)
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Dir = d.Cache
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get download: %w\n%s", err, output)
		}
		return nil
	}
	err := run()
	if err == nil {
		return nil
	}
	// Old lists name files that the archive has replaced. The plan was made from them too, so it has to be made anew.
	if updated := d.update(ctx, out); updated != nil {
		return errors.Join(err, updated)
	}
	if err := run(); err != nil {
		return fmt.Errorf("%w\n(the lists of packages were renewed: try again)", err)
	}
	return nil
}

// unpack adds the files of a package.
func unpack(ctx context.Context, content files, deb string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := addTar(content, stdout); err != nil {
		cancel()
		_ = cmd.Wait()
		return fmt.Errorf("%s: %w", deb, err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("dpkg-deb cannot read %s (remove it to have it downloaded again): %w", deb, err)
	}
	return nil
}

// addTar adds the entries of a tar to the file system, in the places that a merged /usr gives them.
func addTar(content files, r io.Reader) error {
	for in := tar.NewReader(r); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			// What follows the end of the archive is padding, which its writer wants to get rid of.
			_, err := io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return err
		}
		name := mergeUsr(header.Name)
		if _, exists := content[name]; name == "" || isUnwanted(name) || header.Typeflag == tar.TypeDir && exists {
			continue
		}
		entry := file{header: *header}
		if header.Typeflag == tar.TypeLink {
			entry.header.Linkname = mergeUsr(header.Linkname)
		}
		if entry.content, err = io.ReadAll(in); err != nil {
			return err
		}
		content[name] = entry
	}
}

func isUnwanted(name string) bool {
	return slices.ContainsFunc(unwanted, func(dir string) bool { return strings.HasPrefix(name+"/", dir) })
}

// merged are the folders that are links to those of the same name below /usr.
var merged = []string{"bin", "lib", "lib64", "sbin"}

// mergeUsr cleans a path in a package and moves it to where it is with a merged /usr.
func mergeUsr(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	first, _, _ := strings.Cut(name, "/")
	if slices.Contains(merged, first) {
		return "usr/" + name
	}
	return name
}

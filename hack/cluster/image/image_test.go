package image

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestProgramImageHoldsTheProgramAndRunsIt(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "manager")
	if err := os.WriteFile(binary, []byte("ELF"), 0o644); err != nil {
		t.Fatal(err)
	}
	program := Program{Name: "example.com/manager:dev", Binary: binary, User: "65532:65532"}
	var written [2][]byte
	for i := range written {
		output := filepath.Join(dir, "out", "image.tar")
		if err := program.Write(output); err != nil {
			t.Fatal(err)
		}
		var err error
		if written[i], err = os.ReadFile(output); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(written[0], written[1]) {
		t.Error("written twice, the image differs")
	}

	image, err := tarball.ImageFromPath(filepath.Join(dir, "out", "image.tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(config.Config.Entrypoint, []string{"/manager"}) || config.Config.User != "65532:65532" {
		t.Errorf("configuration is %+v", config.Config)
	}
	in := tar.NewReader(mutate.Extract(image))
	header, err := in.Next()
	if err != nil {
		t.Fatal(err)
	}
	if header.Name != "manager" || header.Mode != 0o755 {
		t.Errorf("first entry is %s with mode %o", header.Name, header.Mode)
	}
}

func TestABadNameIsRefused(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(binary, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (Program{Name: "Not A Name", Binary: binary}).Write(filepath.Join(t.TempDir(), "x.tar")); err == nil {
		t.Error("no error")
	}
}

func TestMergeUsr(t *testing.T) {
	for in, want := range map[string]string{
		"./":                       "",
		"./bin/sh":                 "usr/bin/sh",
		"./lib64/ld-linux.so.2":    "usr/lib64/ld-linux.so.2",
		"./lib":                    "usr/lib",
		"./usr/lib/x":              "usr/lib/x",
		"./libexec/x":              "libexec/x",
		"./../etc/passwd":          "etc/passwd",
		"usr/share/perl/Config.pm": "usr/share/perl/Config.pm",
	} {
		if got := mergeUsr(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestParsePlan(t *testing.T) {
	got := parsePlan(`NOTE: This is only a simulation!
Inst gcc-12-base (12.2.0-14+deb12u1 Debian:12.9/stable [amd64]) []
Inst dpkg (1.21.22 Debian:12.9/stable [amd64])
Inst perl-modules-5.36 (5.36.0-7+deb12u2 Debian:12.9/stable [all])
Inst coreutils (1:9.1-1 Debian:12.9/stable, Debian-Security:12/stable [amd64]) [x:amd64 ]
Conf dpkg (1.21.22 Debian:12.9/stable [amd64])
`)
	want := []string{
		"coreutils_1%3a9.1-1_amd64.deb",
		"gcc-12-base_12.2.0-14+deb12u1_amd64.deb",
		"perl-modules-5.36_5.36.0-7+deb12u2_all.deb",
	}
	var names []string
	for _, p := range got {
		names = append(names, p.file())
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestAddTarMovesFilesIntoTheMergedUsr(t *testing.T) {
	var deb bytes.Buffer
	w := tar.NewWriter(&deb)
	for _, h := range []tar.Header{
		{Name: "./bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./bin/dash", Typeflag: tar.TypeReg, Mode: 0o755},
		{Name: "./bin/other", Typeflag: tar.TypeLink, Linkname: "./bin/dash"},
		{Name: "./usr/share/doc/dash/copyright", Typeflag: tar.TypeReg, Mode: 0o644},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content := base()
	if err := addTar(content, &deb); err != nil {
		t.Fatal(err)
	}
	if content["bin"].header.Typeflag != tar.TypeSymlink {
		t.Error("/bin is no longer a link to /usr/bin")
	}
	if got := content["usr/bin/other"].header.Linkname; got != "usr/bin/dash" {
		t.Errorf("the hard link leads to %q", got)
	}
	if _, ok := content["usr/share/doc/dash/copyright"]; ok {
		t.Error("documentation is in the image")
	}

	var layer bytes.Buffer
	if err := content.write(&layer); err != nil {
		t.Fatal(err)
	}
	var last string
	for in := tar.NewReader(&layer); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = h.Name
	}
	if last != "usr/bin/other" {
		t.Errorf("the last entry is %s: the hard link has to follow what it links to", last)
	}
}

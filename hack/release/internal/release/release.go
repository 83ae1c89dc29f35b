// Package release makes all that a release of TestRun has: images for several architectures, the manifests and the chart that name them,
// the archives of the plugin, a list of what each program is made of, and checksums. The same commit gives the same bytes, on any machine
// that has the same Go: nothing in them tells the time, the folder or the user.
package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options say what release is made, and of what.
type Options struct {
	Root        string // the root of the repository
	Output      string // the folder that holds the release
	Version     string // vX.Y.Z; if empty the tag of the commit, or a version made of its time and hash
	Registry    string // HOST/PATH: where the images are to be pulled from
	DownloadURL string // where the files are to be downloaded from
	Programs    []string
	Out         io.Writer
}

// Names of files of a release that other parts look up.
const (
	descriptionFile = "release.json"
	sumsFile        = "SHA256SUMS"
)

// unpublished is the registry of a release that nobody has said a registry for. Nothing can be pulled from it.
const unpublished = "testrun.invalid"

// homepage is where the project is.
const homepage = "https://github.com/testrun-dev/testrun"

// Release is what a release says about itself, in release.json.
type Release struct {
	Version  string    `json:"version"`
	Commit   string    `json:"commit"`
	Time     time.Time `json:"time"` // of the commit
	Go       string    `json:"go"`
	Registry string    `json:"registry"`
	Images   []Image   `json:"images"`
	Chart    string    `json:"chart,omitempty"` // the file of the chart

	downloadURL string
}

// Image is one of the images, for all architectures.
type Image struct {
	Program string `json:"program"`
	Name    string `json:"name"` // REGISTRY/PROGRAM:VERSION
	Digest  string `json:"digest"`
}

// Reference names exactly this image. The tag is for people: the digest decides.
func (i Image) Reference() string { return i.Name + "@" + i.Digest }

// Build makes the release. An old one in the same folder is replaced, and only by a complete one.
func Build(ctx context.Context, options Options) error {
	if len(options.Programs) == 0 {
		return errors.New("no programs are named: make release names those that get an image")
	}
	release, err := describe(ctx, options)
	if err != nil {
		return err
	}
	work := options.Output + ".new"
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	w := &workshop{Options: options, release: release, binaries: filepath.Join(work, "binaries"), dist: filepath.Join(work, "dist")}
	for _, dir := range []string{w.binaries, w.dist} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"the programs", w.buildPrograms},
		{"the images", w.makeImages},
		{"the manifests", w.makeManifests},
		{"the chart", w.makeChart},
		{"the plugin", w.makePlugin},
		{"what each program is made of", w.makeSBOMs},
		{"the description", w.describe},
		{"the checksums", w.sum},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	if err := os.RemoveAll(options.Output); err != nil {
		return err
	}
	if err := os.Rename(w.dist, options.Output); err != nil {
		return err
	}
	w.say("%s is in %s", release.Version, options.Output)
	if release.Registry == unpublished {
		w.say("its manifests name images of %s, where nothing can be pulled: give REGISTRY=HOST/PATH to name yours", unpublished)
	}
	return nil
}

// workshop is where a release is made.
type workshop struct {
	Options

	release  *Release
	binaries string // the folder with the programs, as BINARIES/OS_ARCH/PROGRAM
	dist     string // the folder that becomes the release
}

func (w *workshop) say(format string, args ...any) { fmt.Fprintf(w.Out, format+"\n", args...) }

// write writes a file of the release.
func (w *workshop) write(name string, content []byte) error {
	file := filepath.Join(w.dist, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}

func (w *workshop) describe(context.Context) error {
	content, err := json.MarshalIndent(w.release, "", "  ")
	if err != nil {
		return err
	}
	return w.write(descriptionFile, append(content, '\n'))
}

package release

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// manifests are what `kubectl apply -f` installs, by the folder below config/ that they are made of.
var manifests = []struct{ file, config, what string }{
	{"install.yaml", "default", "the operator"},
	{"install-with-server.yaml", "archive", "the operator and the server, which takes a volume of 20 GiB"},
	{"jobtable.yaml", "jobtable", "the program that follows the job tables of an application, in the namespace default"},
}

// placeholder is the image of a program as config/ and the chart name it.
func placeholder(program string) string {
	if program == "manager" {
		program = "testrun"
	}
	return "testrun.invalid/" + program
}

// placeholderTag is the tag of these images.
const placeholderTag = "dev"

func (w *workshop) makeManifests(ctx context.Context) error {
	for _, m := range manifests {
		folder := filepath.Join("config", m.config)
		built, err := command(ctx, w.Root, nil, filepath.Join(w.Root, "bin", "tools", "kustomize"), "build", folder)
		if err != nil {
			return err
		}
		content, err := w.release.nameImages(built)
		if err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
		var out bytes.Buffer
		fmt.Fprintf(&out, "# TestRun %s: %s.\n# kubectl apply -f %s\n%s\n", w.release.Version, m.what, m.file, content)
		if err := w.write(m.file, out.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// nameImages puts the release's images in the place of those that config/ names.
func (r *Release) nameImages(manifest string) (string, error) {
	for _, image := range r.Images {
		manifest = strings.ReplaceAll(manifest, placeholder(image.Program)+":"+placeholderTag, image.Reference())
	}
	for line := range strings.Lines(manifest) {
		if strings.Contains(line, "testrun.invalid/") && strings.Contains(line, ":"+placeholderTag) {
			return "", fmt.Errorf("%s is the image of no program that is released: is it missing in PROGRAMS of the Makefile?", strings.TrimSpace(line))
		}
	}
	return manifest, nil
}

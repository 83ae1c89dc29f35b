package release

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/testrun-dev/testrun/hack/cluster/image"
)

// user is whom the programs run as: nobody in particular, and not root.
const user = "65532:65532"

// Annotations of an image in a layout, by which ctr and others know its name.
const (
	annotationRefName   = "org.opencontainers.image.ref.name"
	annotationImageName = "io.containerd.image.name"
)

// imagesFile holds all the images, as an OCI layout in a tar.
func imagesFile(version string) string { return "testrun_" + version + "_images.tar" }

// makeImages makes an image of each program, for each architecture, and one file of them all.
func (w *workshop) makeImages(ctx context.Context) error {
	folder := filepath.Join(w.dist, "..", "layout")
	all, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	for _, program := range w.Programs {
		if err := ctx.Err(); err != nil {
			return err
		}
		index, err := w.imageOf(program)
		if err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
		digest, err := index.Digest()
		if err != nil {
			return err
		}
		made := Image{Program: program, Name: w.release.Registry + "/" + program + ":" + w.release.Version, Digest: digest.String()}
		w.release.Images = append(w.release.Images, made)
		w.say("image %s", made.Reference())
		// A node that loads the file has the image by tag, and by digest, as the manifests ask for it.
		for _, name := range []string{made.Name, w.release.Registry + "/" + program + "@" + made.Digest} {
			if err := all.AppendIndex(index, layout.WithAnnotations(map[string]string{
				annotationRefName: w.release.Version, annotationImageName: name,
			})); err != nil {
				return err
			}
		}
	}
	out, err := os.Create(filepath.Join(w.dist, imagesFile(w.release.Version)))
	if err != nil {
		return err
	}
	defer out.Close()
	if err := tarFolder(out, folder, w.release.Time); err != nil {
		return err
	}
	return out.Close()
}

// imageOf makes the image of a program: an index with an image for each architecture.
func (w *workshop) imageOf(program string) (v1.ImageIndex, error) {
	labels := map[string]string{
		"org.opencontainers.image.title":    "testrun-" + program,
		"org.opencontainers.image.source":   homepage,
		"org.opencontainers.image.version":  w.release.Version,
		"org.opencontainers.image.revision": w.release.Commit,
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range nodes {
		made, err := image.Program{Binary: w.binary(p, program), User: user}.OCI(p.arch, w.release.Time, labels)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: made, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}},
		})
	}
	annotated, ok := mutate.Annotations(index, labels).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("an index with annotations is %T", annotated)
	}
	return annotated, nil
}

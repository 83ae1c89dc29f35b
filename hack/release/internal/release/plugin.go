package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// krewName is what the plugin is called in an index of krew: `kubectl krew install INDEX/testrun` gives `kubectl testrun`.
const krewName = "testrun"

// krewFile is the manifest, where an index has it.
const krewFile = "plugins/" + krewName + ".yaml"

// pluginArchive is the file with the plugin for a platform.
func pluginArchive(version string, p platform) string {
	suffix := ".tar.gz"
	if p.os == "windows" {
		suffix = ".zip"
	}
	return plugin + "_" + version + "_" + p.String() + suffix
}

// makePlugin packs the plugin for each platform, and writes the manifest by which krew installs it.
func (w *workshop) makePlugin(context.Context) error {
	if !w.hasPlugin() {
		return nil
	}
	license, err := os.ReadFile(filepath.Join(w.Root, "LICENSE"))
	if err != nil {
		return err
	}
	manifest := krewManifest{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: krewMetadata{Name: krewName},
		Spec: krewSpec{
			Version: w.release.Version, Homepage: homepage,
			ShortDescription: "Run tests as queued jobs, and see how they end",
			Description: "Starts runs of tests, follows them, shows what failed and says why a run waits.\n" +
				"It needs the TestRun operator in the cluster.\n",
			Caveats: "The operator has to be in the cluster: " + homepage + " says how to install it.\n",
		},
	}
	for _, p := range desks {
		binary, err := os.ReadFile(w.binary(p, plugin))
		if err != nil {
			return err
		}
		files := []entry{{p.file(plugin), 0o755, binary}, {"LICENSE", 0o644, license}}
		pack := writeTarGzip
		if p.os == "windows" {
			pack = writeZip
		}
		var out bytes.Buffer
		if err := pack(&out, files, w.release.Time); err != nil {
			return err
		}
		name := pluginArchive(w.release.Version, p)
		if err := w.write(name, out.Bytes()); err != nil {
			return err
		}
		sum := sha256.Sum256(out.Bytes())
		manifest.Spec.Platforms = append(manifest.Spec.Platforms, krewPlatform{
			Selector: krewSelector{MatchLabels: map[string]string{"os": p.os, "arch": p.arch}},
			URI:      w.release.downloadURL + "/" + name, SHA256: hex.EncodeToString(sum[:]), Bin: p.file(plugin),
			Files: []krewFiles{{From: p.file(plugin), To: "."}, {From: "LICENSE", To: "."}},
		})
	}
	content, err := yaml.Marshal(manifest)
	if err != nil {
		return err
	}
	return w.write(krewFile, fmt.Appendf(nil, "# A plugin of kubectl, for an index of krew.\n%s", content))
}

// What krew reads. Its own types would bring its dependencies of years ago.
type (
	krewManifest struct {
		APIVersion string       `json:"apiVersion"`
		Kind       string       `json:"kind"`
		Metadata   krewMetadata `json:"metadata"`
		Spec       krewSpec     `json:"spec"`
	}
	krewMetadata struct {
		Name string `json:"name"`
	}
	krewSpec struct {
		Version          string         `json:"version"`
		Homepage         string         `json:"homepage"`
		ShortDescription string         `json:"shortDescription"`
		Description      string         `json:"description"`
		Caveats          string         `json:"caveats"`
		Platforms        []krewPlatform `json:"platforms"`
	}
	krewPlatform struct {
		Selector krewSelector `json:"selector"`
		URI      string       `json:"uri"`
		SHA256   string       `json:"sha256"`
		Files    []krewFiles  `json:"files"`
		Bin      string       `json:"bin"`
	}
	krewSelector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	}
	krewFiles struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
)

package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"millrace/api"
	"millrace/record/iso"
)

// isoFolder lies in a channel's folder, and holds one for each recording.
const isoFolder = "iso"

// isoRecordings are the recordings of single sources that go on.
type isoRecordings struct {
	channels *channels

	mu      sync.Mutex
	running map[string]map[string]*isoRecording // by recording and source
	known   map[string]iso.Info                 // by path and size: files that are finished do not change
}

// isoRecording is one source's.
type isoRecording struct {
	*iso.Recorder
	unsubscribe func()
	running     *task
}

// start records the sources of a recording from now on, behind what an earlier
// run of the node recorded of them.
func (i *isoRecordings) start(ctx context.Context, r storedRecording) {
	if len(r.ISO) == 0 || !r.running() {
		return
	}
	dir, err := i.folder(r.Channel, r.ID)
	if err != nil {
		i.channels.log.Error("record sources", "recording", r.ID, "channel", r.Channel, "err", err)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running[r.ID] != nil {
		return
	}
	started := map[string]*isoRecording{}
	for _, source := range r.ISO {
		feed := i.channels.sources.feed(source)
		if feed == nil {
			continue // it is no push source any more
		}
		recorder, err := iso.New(iso.Config{
			Dir: dir, Source: source, Room: func() bool { return free(dir) > i.channels.base.ReserveBytes }, Log: i.channels.log,
		})
		if err != nil {
			i.channels.log.Error("record source", "recording", r.ID, "source", source, "err", err)
			continue
		}
		started[source] = &isoRecording{recorder, feed.Subscribe(recorder), begin(ctx, func(ctx context.Context) {
			if err := recorder.Run(ctx); err != nil {
				i.channels.log.Error("record source", "recording", r.ID, "source", source, "err", err)
			}
		})}
	}
	i.running[r.ID] = started
}

// stop ends the recordings of a recording's sources and finishes their files.
func (i *isoRecordings) stop(id string) {
	i.mu.Lock()
	ending := i.running[id]
	delete(i.running, id)
	i.mu.Unlock()
	for _, r := range ending {
		r.unsubscribe()
		r.running.stop()
	}
}

func (i *isoRecordings) stopAll() {
	i.mu.Lock()
	var ids []string
	for id := range i.running {
		ids = append(ids, id)
	}
	i.mu.Unlock()
	for _, id := range ids {
		i.stop(id)
	}
}

// folder is where a recording's files lie: where there are some, else on the
// volume with the most room.
func (i *isoRecordings) folder(channel, id string) (string, error) {
	if dir := i.existing(channel, id); dir != "" {
		return dir, nil
	}
	best, most := "", int64(-1)
	for _, dir := range i.channels.storeDirs(channel) {
		if room := free(existing(dir)); room > most {
			best, most = filepath.Join(dir, isoFolder, id), room
		}
	}
	if best == "" {
		return "", errors.New("no volume can be used")
	}
	if err := os.MkdirAll(best, 0o750); err != nil {
		return "", fmt.Errorf("make folder of ISO recording: %w", err)
	}
	return best, nil
}

// existing is the folder of a recording that has one, or "".
func (i *isoRecordings) existing(channel, id string) string {
	for _, dir := range i.channels.storeDirs(channel) {
		path := filepath.Join(dir, isoFolder, id)
		if stat, err := os.Stat(path); err == nil && stat.IsDir() {
			return path
		}
	}
	return ""
}

// free is what a volume has room for, bytes.
func free(dir string) int64 {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return 0
	}
	return int64(fs.Bavail) * fs.Bsize
}

// remove deletes what a recording has of single sources.
func (i *isoRecordings) remove(channel, id string) {
	i.stop(id)
	if dir := i.existing(channel, id); dir != "" {
		if err := iso.Remove(dir); err != nil {
			i.channels.log.Warn("remove ISO recording", "recording", id, "err", err)
		}
	}
}

// view is what there is of a recording's sources.
func (i *isoRecordings) view(r storedRecording) []api.ISORecording {
	if len(r.ISO) == 0 {
		return nil
	}
	dir := i.existing(r.Channel, r.ID)
	i.mu.Lock()
	running := i.running[r.ID]
	i.mu.Unlock()
	var list []api.ISORecording
	for _, source := range r.ISO {
		v := api.ISORecording{Source: source, Files: []api.ISOFile{}}
		if recorder := running[source]; recorder != nil {
			state := recorder.State()
			v.Dropped, v.Reason = state.Dropped, state.Fault
		}
		if dir != "" {
			v.Files = i.files(dir, r.ID, source)
		}
		list = append(list, v)
	}
	return list
}

func (i *isoRecordings) files(dir, id, source string) []api.ISOFile {
	files := []api.ISOFile{}
	for n := 1; ; n++ {
		name := iso.NameOf(source, n)
		info, err := i.inspect(filepath.Join(dir, name))
		var fault *os.PathError
		if errors.As(err, &fault) && fault.Op == "open" { // there is none, or none can be opened now
			return files
		}
		if err != nil {
			continue // it holds nothing that can be read
		}
		files = append(files, api.ISOFile{
			Name: name, Start: stamp(info.Start), DurationMs: info.Duration.Milliseconds(), Bytes: info.Bytes,
			Codecs: info.Codecs, Download: "/vod/" + id + "/iso/" + name,
		})
	}
}

func (i *isoRecordings) inspect(path string) (iso.Info, error) {
	file, err := os.Open(path)
	if err != nil {
		return iso.Info{}, err
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return iso.Info{}, err
	}
	key := fmt.Sprint(path, " ", stat.Size())
	i.mu.Lock()
	info, ok := i.known[key]
	i.mu.Unlock()
	if ok {
		return info, nil
	}
	info, err = iso.Inspect(file, stat.Size())
	if err == nil && info.Finished {
		i.mu.Lock()
		i.known[key] = info
		i.mu.Unlock()
	}
	return info, err
}

// open opens a file of a recording by its name. Which names there are is known,
// so that none is a path.
func (i *isoRecordings) open(r storedRecording, name string) (*os.File, error) {
	dir := i.existing(r.Channel, r.ID)
	if dir == "" || !slices.ContainsFunc(r.ISO, func(source string) bool { return strings.HasPrefix(name, source+"-") }) {
		return nil, os.ErrNotExist
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(name)
}

// checkISO says which of the sources that were asked for cannot be recorded.
func (c *channels) checkISO(document api.Channel, wanted []string, pointer string) []api.Fault {
	var faults []api.Fault
	for n, source := range wanted {
		fault := ""
		switch {
		case !slices.Contains(document.Sources, source):
			fault = fmt.Sprintf("the channel has no source %q", source)
		case slices.Contains(wanted[:n], source):
			fault = fmt.Sprintf("%q stands here twice", source)
		case c.sources.feed(source) == nil:
			fault = fmt.Sprintf("%q is no push source: nobody sends anything of it that could be kept", source)
		}
		if fault != "" {
			faults = append(faults, api.Fault{Pointer: fmt.Sprintf("%s/%d", pointer, n), Detail: fault})
		}
	}
	return faults
}

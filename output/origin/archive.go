package origin

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strconv"
	"time"

	"millrace/record"
)

// ProgramName is what the program of a recording is called in its package.
const ProgramName = "program.mp4"

// Enclosed is one file of a recording's package beside its program: Data, or
// Size bytes of what Open gives.
type Enclosed struct {
	Name string
	Data []byte
	Size int64
	Open func() (*os.File, error)
}

// servePackage answers with everything of a recording as a tar file. It is put
// together while it is read; its length is known before, and any range of it can
// be had.
func (h *Handler) servePackage(w http.ResponseWriter, r *http.Request, v view, id string, rec Recording) {
	over := v.channel.over() || v.edge.Layout.Grid.SegmentTime(rec.To+2) <= h.config.Clock.Now()
	if rec.Package == nil || v.to < rec.To && !over {
		starting(w, r) // it is still made, or its end is not stored yet
		return
	}
	film := v.film(id, "")
	movie := h.layOut(w, r, v, film)
	if movie == nil {
		return
	}
	enclosed, err := rec.Package()
	if err != nil {
		h.config.Log.Error("recording cannot be packaged", "recording", id, "err", err)
		refuse(w, r, http.StatusInternalServerError, noStore)
		return
	}
	file, err := newPackage(v.edge.Layout.Grid.SegmentTime(v.to).UTC(), movie, enclosed)
	if err != nil {
		h.config.Log.Error("recording cannot be packaged", "recording", id, "err", err)
		refuse(w, r, http.StatusInternalServerError, noStore)
		return
	}
	defer file.close()
	header := w.Header()
	header["Content-Type"] = []string{"application/x-tar"}
	header["Cache-Control"] = noStore
	header["Etag"] = []string{fmt.Sprintf(`"%s-%d-%d"`, id, movie.Size(), file.size)}
	header["Content-Disposition"] = []string{"attachment; filename=" + strconv.Quote(id+".tar")}
	s := newSender(w)
	defer s.done()
	s.expect(int(min(file.size, 1<<40)))
	http.ServeContent(w, r, "", time.Time{}, file)
}

// tarball is a tar file of pieces that lie elsewhere. It is for one goroutine.
type tarball struct {
	pieces []tarPiece
	size   int64
	at     int64
	open   map[int]*os.File // by piece
}

// tarPiece is a run of bytes: of memory, of a movie, or of a file.
type tarPiece struct {
	at, length int64
	data       []byte
	movie      io.ReadSeeker
	file       func() (*os.File, error)
}

const tarBlock = 512

func newPackage(made time.Time, movie *record.Movie, enclosed []Enclosed) (*tarball, error) {
	t := &tarball{open: map[int]*os.File{}}
	for i, e := range enclosed {
		size := e.Size
		if e.Open == nil {
			size = int64(len(e.Data))
		}
		if err := t.begin(e.Name, size, made); err != nil {
			return nil, err
		}
		t.add(tarPiece{length: size, data: e.Data, file: e.Open})
		t.pad(size)
		if i == 0 { // behind the manifest
			if err := t.begin(ProgramName, movie.Size(), made); err != nil {
				return nil, err
			}
			t.add(tarPiece{length: movie.Size(), movie: movie.Reader()})
			t.pad(movie.Size())
		}
	}
	t.add(tarPiece{length: 2 * tarBlock, data: make([]byte, 2*tarBlock)})
	return t, nil
}

// begin adds the header of a file.
func (t *tarball) begin(name string, size int64, made time.Time) error {
	var out bytes.Buffer
	err := tar.NewWriter(&out).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: made.Truncate(time.Second),
	})
	if err != nil {
		return fmt.Errorf("write tar header of %q: %w", name, err)
	}
	t.add(tarPiece{length: int64(out.Len()), data: out.Bytes()})
	return nil
}

func (t *tarball) pad(size int64) {
	if rest := size % tarBlock; rest > 0 {
		t.add(tarPiece{length: tarBlock - rest, data: make([]byte, tarBlock-rest)})
	}
}

func (t *tarball) add(p tarPiece) {
	p.at = t.size
	t.size += p.length
	if p.length > 0 {
		t.pieces = append(t.pieces, p)
	}
}

// Seek implements io.Seeker.
func (t *tarball) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += t.at
	case io.SeekEnd:
		offset += t.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the file")
	}
	t.at = offset
	return offset, nil
}

// Read implements io.Reader.
func (t *tarball) Read(p []byte) (int, error) {
	if t.at >= t.size {
		return 0, io.EOF
	}
	i := sort.Search(len(t.pieces), func(i int) bool { return t.pieces[i].at > t.at }) - 1
	piece := &t.pieces[i]
	inside := t.at - piece.at
	p = p[:min(int64(len(p)), piece.length-inside)]
	n, err := t.read(i, piece, p, inside)
	t.at += int64(n)
	if n > 0 || err == nil {
		return n, nil
	}
	return 0, fmt.Errorf("read recording's package: %w", err)
}

func (t *tarball) read(i int, piece *tarPiece, p []byte, inside int64) (int, error) {
	switch {
	case piece.movie != nil:
		if _, err := piece.movie.Seek(inside, io.SeekStart); err != nil {
			return 0, err
		}
		return piece.movie.Read(p)
	case piece.file == nil:
		return copy(p, piece.data[inside:]), nil
	}
	if t.open[i] == nil {
		t.close() // one at a time
		file, err := piece.file()
		if err != nil {
			return 0, err
		}
		t.open[i] = file
	}
	n, err := t.open[i].ReadAt(p, inside)
	if errors.Is(err, io.EOF) && n == 0 {
		err = io.ErrUnexpectedEOF // it was longer when it was laid out
	}
	return n, err
}

func (t *tarball) close() {
	for i, file := range t.open {
		_ = file.Close() // it was only read
		delete(t.open, i)
	}
}

// serveFile answers with a file of a recording's source.
func (h *Handler) serveFile(w http.ResponseWriter, r *http.Request, rec Recording, name string) {
	var file *os.File
	err := os.ErrNotExist
	if rec.Open != nil {
		file, err = rec.Open(name)
	}
	if err != nil {
		refuse(w, r, http.StatusNotFound, shortly)
		return
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil || !stat.Mode().IsRegular() {
		refuse(w, r, http.StatusNotFound, shortly)
		return
	}
	header := w.Header()
	header["Content-Type"] = typeVideoInit
	header["Cache-Control"] = noStore
	header["Content-Disposition"] = []string{disposition(r, name)}
	s := newSender(w)
	defer s.done()
	s.expect(int(min(stat.Size(), 1<<40)))
	http.ServeContent(w, r, "", stat.ModTime(), file)
}

package srt

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestParseStreamID(t *testing.T) {
	cases := []struct {
		text string
		want StreamID
		err  error
	}{
		{text: "#!::r=cam1,m=publish,s=KEY", want: StreamID{"cam1", "KEY"}},
		{text: "#!::m=publish,s=KEY,r=cam1,u=me,h=host,t=stream", want: StreamID{"cam1", "KEY"}},
		{text: "#!::s=a.b~c-d_e,m=publish", want: StreamID{"", "a.b~c-d_e"}},
		{text: "#!::r=cam1,m=publish,s=a=b", want: StreamID{"cam1", "a=b"}},
		{text: "#!::r=cam1,m=publish,s=KEY,vendor=x", want: StreamID{"cam1", "KEY"}},
		{text: "#!::r=cam1,m=publish", want: StreamID{"cam1", ""}},
		{text: "publish:cam1:KEY", want: StreamID{"cam1", "KEY"}},
		{text: "publish:cam1:K:E:Y", want: StreamID{"cam1", "K:E:Y"}},
		{text: "publish:cam1", want: StreamID{"cam1", ""}},
		{text: "KEY", want: StreamID{"", "KEY"}},
		{text: "", want: StreamID{}},
		{text: "#!::r=cam1,s=KEY", err: ErrMode},
		{text: "#!::r=cam1,m=request,s=KEY", err: ErrMode},
		{text: "#!::r=cam1,m=bidirectional,s=KEY", err: ErrMode},
		{text: "read:cam1", err: ErrMode},
		{text: "#!::r=cam1,m=publish,t=file,s=KEY", err: ErrType},
		{text: "#!::r=cam1,m", err: ErrSyntax},
		{text: "#!::", err: ErrSyntax},
		{text: "#!::=x", err: ErrSyntax},
		{text: "#!::r=cam1,r=cam2,m=publish,s=KEY", err: ErrSyntax},
		{text: "#!::r=cam1,m=publish,x=1,s=KEY", err: ErrSyntax},
		{text: "#!:{r=cam1}", err: ErrSyntax},
		{text: "#cam1", err: ErrSyntax},
		{text: "publish::KEY", err: ErrSyntax},
		{text: "other:cam1:KEY", err: ErrSyntax},
		{text: "two words", err: ErrSyntax},
		{text: "line\nline", err: ErrSyntax},
		{text: "\xff\xfe", err: ErrSyntax},
		{text: strings.Repeat("ä", 512), want: StreamID{"", strings.Repeat("ä", 512)}},
		{text: strings.Repeat("a", 513), err: ErrSyntax},
	}
	for _, c := range cases {
		id, err := ParseStreamID(c.text)
		require.ErrorIs(t, err, c.err, c.text)
		require.Equal(t, c.want, id, c.text)
	}
}

func TestJudge(t *testing.T) {
	table := Table{Connections: 10, Entries: []Entry{
		{Source: "cam1", Keys: []Hash{HashKey("one"), HashKey("old")}},
		{Source: "cam2", Keys: []Hash{HashKey("two")}, Busy: true},
		{Source: "file", Keys: []Hash{HashKey("three")}, Forbidden: true},
		{Source: "keyless"},
	}}
	cases := []struct {
		text   string
		source string
		reject Reject
	}{
		{"one", "cam1", 0}, {"old", "cam1", 0}, {"publish:cam1:one", "cam1", 0}, {"#!::r=cam1,m=publish,s=old", "cam1", 0},
		{"two", "cam2", RejectBusy}, {"publish:cam2:two", "cam2", RejectBusy}, {"three", "file", RejectForbidden},
		{"publish:cam1:two", "", RejectKey}, {"publish:cam1:", "", RejectKey}, {"publish:cam1", "", RejectKey},
		{"nonsense", "", RejectKey}, {"", "", RejectKey}, {"publish:keyless:", "", RejectKey}, {"publish:keyless:x", "", RejectKey},
		{"publish:cam9:one", "", RejectUnknown}, {"#!::r=cam9,m=publish,s=one", "", RejectUnknown},
		{"#!::r=cam1,s=one", "", RejectMode}, {"#!::r=cam1,m=publish,t=file,s=one", "", RejectType}, {"#!", "", RejectSyntax},
	}
	for _, c := range cases {
		entry, reject := table.Judge(c.text, 9)
		require.Equal(t, c.reject, reject, c.text)
		require.Equal(t, c.source, entry.Source, c.text)
	}
	_, reject := table.Judge("one", 10)
	require.Equal(t, RejectOverload, reject)
	table.Down = true
	_, reject = table.Judge("one", 0)
	require.Equal(t, RejectDown, reject)
}

func FuzzParseStreamID(f *testing.F) {
	for _, text := range []string{"#!::r=cam1,m=publish,s=KEY", "publish:a:b", "KEY", "#!::=,="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseStreamID(text)
		if err != nil {
			require.Equal(t, StreamID{}, id)
			return
		}
		require.True(t, utf8.ValidString(id.Source+id.Key))
		require.LessOrEqual(t, len(id.Source)+len(id.Key), len(text))
	})
}

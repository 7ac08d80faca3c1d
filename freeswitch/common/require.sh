#!/bin/sh
# Run by FreeSWITCH's preprocessor: says nothing when every named variable is set and harmless inside XML.
# Otherwise it breaks the document, so that FreeSWITCH does not start and names the variable in its error:
# mod_event_socket falls back to a password everybody knows when it is given none.
for name in "$@"; do
  eval "value=\${$name-}"
  case $value in
    '') echo "</missing-in-the-environment.$name>"; exit ;;
    *[\"\<\>\&\$]*) echo "</a-mark-XML-forbids-in.$name>"; exit ;;
  esac
done

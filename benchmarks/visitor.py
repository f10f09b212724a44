"""A visitor without a browser: sends Streamlit's messages over a web socket, so that only the server is measured."""

import time
from typing import Any, Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect


class Visitor:
    """One session: `async with Visitor(address) as visitor: await visitor.open("inside")`."""

    def __init__(self, address: str) -> None:
        self._connecting = connect(
            address.replace("http", "ws", 1) + "/_stcore/stream", subprotocols=["streamlit"], max_size=None, max_queue=None
        )
        self._page, self._query = "", ""
        self._widgets: dict[str, tuple[str, str]] = {}
        self.bytes = 0

    async def __aenter__(self) -> Self:
        self._connection: ClientConnection = await self._connecting
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._connection.close()

    async def open(self, page: str, query: str = "") -> float:
        """Go to a page; the seconds until it has been sent whole."""
        self._page, self._query = page, query
        self._widgets.clear()
        return await self._run()

    async def change(self, key: str, **value: Any) -> float:
        """Give the widget of a key a value, as a field of Streamlit's `WidgetState`; the seconds until all is sent that
        follows from it."""
        identity, fragment = self._widgets[key]
        return await self._run(WidgetState(id=identity, **value), fragment)

    async def _run(self, changed: WidgetState | None = None, fragment: str = "") -> float:
        message = BackMsg()
        asked = message.rerun_script
        asked.page_name, asked.query_string, asked.fragment_id = self._page, self._query, fragment
        if changed:
            asked.widget_states.widgets.append(changed)
        started = time.perf_counter()
        await self._connection.send(message.SerializeToString())
        while not self._is_over(await self._connection.recv()):
            pass
        return time.perf_counter() - started

    def _is_over(self, received: Any) -> bool:
        self.bytes += len(received)
        message = ForwardMsg.FromString(received)
        if message.WhichOneof("type") == "delta":
            element = message.delta.new_element
            kind = element.WhichOneof("type")
            identity = getattr(getattr(element, kind), "id", "") if kind else ""
            if identity.startswith("$$ID-"):
                self._widgets[identity.split("-", 2)[2]] = identity, message.delta.fragment_id
        return (
            message.WhichOneof("type") == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        )

const count = document.getElementById("count");
const words = document.getElementById("words");

function connect() {
  const socket = new WebSocket(new URL("ws", location.href.replace(/^http/, "ws")));
  socket.onmessage = ({ data }) => {
    const { visitors } = JSON.parse(data);
    count.textContent = String(visitors);
    words.textContent = visitors === 1 ? "Only you." : `You and ${visitors - 1} more.`;
  };
  socket.onclose = () => {
    count.textContent = "–";
    words.textContent = "The connection is lost. Trying again…";
    setTimeout(connect, 1000 + 1000 * Math.random());
  };
}

connect();

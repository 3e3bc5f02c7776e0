package chaos;

import java.io.File;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * Writes a commit as Delta's own log store does, and then loses the reply, once, if a file "table.lose" beside the table
 * asks for it: "timeout", as an object store that does not answer, or "exists", as one whose client has asked again.
 */
public class LostReply extends io.delta.storage.HDFSLogStore {

    public LostReply(Configuration hadoopConf) {
        super(hadoopConf);
    }

    public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration hadoopConf)
            throws IOException {
        super.write(path, actions, overwrite, hadoopConf);
        File request = new File(path.getParent().getParent().toUri().getPath() + ".lose");
        if (!path.getName().matches("\\d{20}\\.json") || !request.exists()) {
            return;
        }
        String how = new String(Files.readAllBytes(request.toPath())).trim();
        Files.delete(request.toPath());
        if (how.equals("exists")) {
            throw new FileAlreadyExistsException(path.toString());
        }
        throw new SocketTimeoutException("Read timed out: " + path);
    }
}
